"""Tags are read as spans, written back, found and checked, as seqscore does it."""

import itertools

import pytest
from seqscore import encoding, validation

from apps.suite.texts import tag_schemes

SPANS = ("IO", "IOB1", "IOB2", "BIOES", "BILOU")
OTHERS = {"IOB2": "BIO", "IOB1": "IOB"}  # names of seqscore


def sequences(scheme, words=4):
    """Every sequence of tags of two types, of as many words."""
    letters = {"IO": "I", "IOB1": "IB", "IOB2": "BI"}.get(scheme, scheme.replace("O", ""))
    tags = ["O", *(f"{letter}-{kind}" for letter in letters for kind in "xy")]
    return itertools.product(tags, repeat=words)


@pytest.mark.parametrize("scheme", SPANS)
def test_spans_and_violations_are_those_of_seqscore(scheme):
    reader = encoding.get_encoding(OTHERS.get(scheme, scheme))
    valid = 0
    for tags in sequences(scheme, 3):
        checked = validation.validate_labels(tags, reader)
        broken = tag_schemes.violation(tags, scheme)
        assert (broken is None) == checked.is_valid(), tags
        if broken is None:
            valid += 1
            spans = tag_schemes.read(tags, scheme)
            theirs = [(each.span.start, each.span.end, each.type) for each in
                      reader.decode_labels(tags)]  # fmt: skip
            assert [tuple(span) for span in spans] == theirs, tags
            assert tag_schemes.write(spans, len(tags), scheme) == list(tags)
    assert valid > 10


@pytest.mark.parametrize("scheme", SPANS)
def test_a_model_s_tags_are_written_back_as_given(scheme):
    for tags in sequences(scheme, 3):
        if tag_schemes.violation(tags, scheme) is None:
            inside = tag_schemes.to_inside(tags, scheme)
            assert tag_schemes.violation(inside, tag_schemes.INSIDE) is None
            assert tag_schemes.from_inside(inside, scheme) == list(tags)


def test_broken_tags_are_repaired_as_conlleval_reads_them():
    reader = encoding.get_encoding("BIO")
    for tags in sequences("IOB2"):
        repaired = tag_schemes.from_inside(tags, "IOB2")
        if tag_schemes.violation(tags, "IOB2") is not None:
            assert repaired == list(reader.repair_labels(tags, "conlleval")), tags
        else:
            assert repaired == list(tags)


@pytest.mark.parametrize(
    ("sentences", "scheme"),
    [
        (["I-x I-x O", "I-y"], "IO"),
        (["I-x B-x O", "I-y"], "IOB1"),
        (["B-x I-x O", "B-y"], "IOB2"),
        (["B-x O", "O"], "IOB2"),
        (["B-x I-x O I-x", "B-y", "B-x O"], "IOB2"),  # one broken sentence of three
        (["B-x E-x O", "B-x I-x E-x"], "BIOES"),
        (["S-x S-y O"], "BIOES"),
        (["B-x L-x O", "U-y"], "BILOU"),
        (["B I O", "O B"], "IOB2"),  # spans without a type
        (["DET NOUN", "I"], "plain"),
        (["O , O", "O ."], "plain"),
        (["O O"], "plain"),
        (["L S", "B I"], "plain"),  # letters that are no prefixes
    ],
)
def test_the_scheme_is_found(sentences, scheme):
    assert tag_schemes.find([tags.split() for tags in sentences]) == scheme


def test_plain_tags_stand_for_single_words():
    tags = ["O", ",", ",", ""]
    assert tag_schemes.read(tags, "plain") == [(1, 2, ","), (2, 3, ",")]
    assert tag_schemes.inside_names([tags, ["."]], "plain") == ["O", ",", "."]
