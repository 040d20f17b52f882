"""Files of sentences in every layout, dirty ones included; what is wrong is named with its line."""

import dataclasses
import json

import pytest

from apps.suite import errors
from apps.suite.sequences.config import SentenceFormatConfig
from apps.tagging import config as configs
from apps.tagging import data

CONLL = (
    "-DOCSTART- -X- O\n\nAnna NNP B-PER\nsaw VBD O\nNew NNP B-LOC\nYork NNP I-LOC\n\n"
    "We PRP O\nleft VBD O\n\n" + "Bob NNP B-PER\n\n" * 8
)


def load(path, **settings):
    made = SentenceFormatConfig(**settings)
    config = dataclasses.replace(configs.PRESETS["tiny"], data=str(path), data_format=made)
    return data.load(config)


def write(path, text):
    path.write_text(text, encoding="utf-8", newline="")
    return path


def found(corpus):
    every = [each for part in corpus.parts.values() for each in part]
    return sorted((" ".join(each.words), " ".join(each.tags), each.label) for each in every)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_columns_with_any_line_end_and_a_byte_order_mark(tmp_path, end):
    text = CONLL.replace("\n", end).rstrip()
    corpus = load(write(tmp_path / "news.conll", "\ufeff" + text))
    assert corpus.scheme == "IOB2"
    assert corpus.tag_names == ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]
    assert found(corpus)[:2] == [("Anna saw New York", "B-PER O B-LOC I-LOC", ""),
                                 ("Bob", "B-PER", "")]  # fmt: skip
    assert {name: len(part) for name, part in corpus.parts.items()} == {
        "train": 8, "validation": 1, "test": 1,
    }  # fmt: skip
    assert load(tmp_path / "news.conll", tag_column=1).scheme == "plain"


def test_conllu_with_comments_joined_words_and_spaces_in_words(tmp_path):
    text = (
        "# text = vámonos al 10 000\n1-2\tvámonos\t_\t_\n1\tvamos\t_\tVERB\n2\tnos\t_\tPRON\n"
        "3\t10 000\t_\tNUM\n3.1\tghost\t_\tX\n4\t#\t_\tSYM\n\n"
    )
    corpus = load(write(tmp_path / "a.conllu", text * 5), word_column=1, tag_column=3)
    assert found(corpus)[0][:2] == ("vamos nos 10 000 #", "VERB PRON NUM SYM")
    assert len(corpus.train[0].words) == 4


def test_json_lines_of_tokens_and_of_spans(tmp_path):
    rows = [
        {"tokens": ["to", "Rome"], "tags": ["O", "B-city"], "label": "go"},
        {"text": "to  New York, é!", "spans": [[4, 12, "city"]], "intent": "go"},
        {"tokens": ["stay"], "labels": ["O"], "label": "stay"},
    ] * 2
    file = write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)))
    corpus = load(file, tokenizer="signs")
    assert ("to New York , é !", "O B-city I-city O O O", "go") in found(corpus)
    assert corpus.label_names == ["go", "stay"]


def test_folders_of_sentences_tags_and_labels(tmp_path):
    for part in ("train", "valid", "test"):
        (tmp_path / part).mkdir()
        write(tmp_path / part / "seq.in", f"{part} to rome  \nplay\n")
        write(tmp_path / part / "seq.out", "O O B-city \nO\n")
        write(tmp_path / part / "label", "go\nplay\n")
    corpus = load(tmp_path)
    assert corpus.split == "the parts that the data name"
    assert [each.words[0] for each in corpus.validation] == ["valid", "play"]
    assert corpus.label_names == ["go", "play"]


def test_files_of_parts_and_other_schemes(tmp_path):
    write(tmp_path / "en-ud-train.conll", "a S-x\nb O\n\nc B-x\nd E-x\n")
    write(tmp_path / "en-ud-dev.conll", "a O\n")
    write(tmp_path / "en-ud-test.conll", "a S-x\n")
    write(tmp_path / "README.md", "no sentence")
    corpus = load(tmp_path)
    assert (corpus.scheme, len(corpus.train)) == ("BIOES", 2)
    assert corpus.tag_names == ["O", "B-x", "I-x"]
    assert corpus.unlearned == []
    write(tmp_path / "en-ud-test.conll", "a S-x\nb S-new\n")
    assert load(tmp_path).unlearned == ["B-new"]


def test_broken_tags_are_refused_with_their_line_and_repaired_on_request(tmp_path):
    file = write(tmp_path / "a.conll", CONLL + "the DT O\nold JJ I-LOC\n\n")
    with pytest.raises(errors.UserError, match=r"a.conll:28: I-LOC breaks the scheme IOB2"):
        load(file)
    assert ("the old", "O B-LOC", "") in found(load(file, repair=True))


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.conll", "Anna B-PER\nsaw\n", r"a.conll:2: has 1 columns, the lines before 2"),
        ("a.conll", "Anna\tB-PER\nsaw\t \n", r"a.conll:2: has no tag"),
        ("a.conll", "Anna\nBob\n", "give --data_format.word_column"),
        ("a.conll", "Anna O\n\nBob O\n\nEve O\n", "all words have one tag"),
        ("a.conll", "Anna B-x\n", "too few to divide"),
        ("a.jsonl", '{"tokens": ["a"], "tags": ["O", "O"]}', r"a.jsonl:1: 1 words and 2 tags"),
        ("a.jsonl", '\n{"tokens": "a", "tags": ["O"]}', r"a.jsonl:2: tokens has to be a list"),
        ("a.jsonl", '{"tokens": ["a"]}', "tags has to be a list"),
        ("a.jsonl", "{", r"a.jsonl:1: is not JSON"),
        ("a.jsonl", "[]", "is not a JSON object"),
        ("a.jsonl", '{"words": []}', "neither tokens and tags nor text and spans"),
        ("a.jsonl", '{"text": "to Rome", "spans": [[3, 9, "c"]]}', "within text"),
        ("a.jsonl", '{"text": "Rome.", "spans": [[0, 4, "c"]]}', "tokenizer signs"),
        ("a.jsonl", '{"text": "a b", "spans": [[0, 3, "c"], [2, 3, "d"]]}', "overlaps"),
        ("a.jsonl", '{"tokens": ["a"], "tags": ["O"], "label": 1}', "label is 1"),
        ("a.jsonl", '{"tokens": ["a"], "tags": ["B-x"], "label": "l"}\n' * 3
         + '{"tokens": ["a"], "tags": ["O"]}', r"a.jsonl:4: has no label"),
        ("a.conll", "Anna B-PER\0\n", "NUL byte"),
        ("a.conll", "\n \n", "empty"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path, name, text, told):
    with pytest.raises(errors.UserError, match=told) as raised:
        load(write(tmp_path / name, text))
    assert "\n" not in str(raised.value)


def test_triples_of_unequal_length_and_folders_without_training(tmp_path):
    (tmp_path / "train").mkdir()
    write(tmp_path / "train" / "seq.in", "a b\nc\n")
    write(tmp_path / "train" / "seq.out", "O\nO\n")
    with pytest.raises(errors.UserError, match=r"seq.out:1: 2 words and 1 tags"):
        load(tmp_path)
    write(tmp_path / "train" / "seq.out", "O O\n")
    with pytest.raises(errors.UserError, match=r"seq.out: has 1 lines, seq.in 2"):
        load(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(errors.UserError, match="no file of the part train"):
        load(tmp_path / "empty")
    with pytest.raises(errors.UserError, match="no such file or folder"):
        load(tmp_path / "none.conll")


def test_verses_lose_their_punctuation_and_the_mark_of_the_last_word():
    corpus = data.load(configs.PRESETS["tiny"])
    words, tags = corpus.train[0][:2]
    marked = " ".join(word + tag.replace("O", "") for word, tag in zip(words, tags, strict=True))
    # Several verses are learned together, with the marks between them
    assert marked.startswith("In the beginning God created the heaven and the earth. And the earth")
    assert "And the earth was without form, and void; and darkness was upon" in marked
    assert " ".join(corpus.test[0].words[:6]) == "This is the book of the"
    assert all(mark in "O,.:;?!" for mark in corpus.tag_names)
    mean = {}
    for name, part in corpus.parts.items():
        count = sum(len(each.words) for each in part)
        assert count > 5_000
        mean[name] = count / len(part)
        for each in part:
            assert each.tags[-1] == ""  # the cut would give it away
            assert "" not in each.tags[:-1]
    assert mean["train"] > 2 * max(mean["validation"], mean["test"])
