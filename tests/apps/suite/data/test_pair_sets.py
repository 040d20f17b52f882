"""Pairs are divided by their sources, nothing held out is learned from, and notes say what went."""

import pytest

from apps.suite import errors
from apps.suite.data import pair_sets

RULES = pair_sets.Rules(("", ""), {"validation": 0.1, "test": 0.2}, most=50, seed=0)


def written(folder, rows):
    file = folder / "pairs.tsv"
    file.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    return str(file)


def sources(pairs):
    return {pair.source for pair in pairs}


def test_parts_are_drawn_by_sources_that_differ_in_their_normal_form(tmp_path):
    rows = [(f"it{sign}s {at}", f"c'est {at} {sign}") for at in range(40) for sign in "'’x"]
    corpus = pair_sets.load(written(tmp_path, rows), RULES)
    parts = [sources(part) for part in corpus.parts.values()]
    assert len(parts[0] | parts[1] | parts[2]) == sum(map(len, parts)) == 80
    assert [len(part) for part in parts] == [56, 8, 16]
    again = pair_sets.load(written(tmp_path, rows), RULES)
    assert again.fingerprint == corpus.fingerprint
    other = pair_sets.load(written(tmp_path, rows), RULES._replace(seed=1))
    assert sources(other.test) != parts[2]


def test_what_the_data_hold_out_is_taken_out_of_train(tmp_path):
    rows = [(f"a{at}", f"b{at}", "train") for at in range(20)]
    rows += [("a3", "other", "test"), ("a4", "b9", "test"), ("new", "b5", "test"),
             ("a5", "b5", "dev")]  # fmt: skip
    corpus = pair_sets.load(written(tmp_path, rows), RULES)
    assert sources(corpus.test) == {"a3", "a4", "new"}
    assert sources(corpus.validation) == {"a5"}
    assert not sources(corpus.train) & {"a3", "a4", "a5"}
    assert any("left out of train" in note for note in corpus.notes)
    assert any("1 of 3 test targets stand in train" in note for note in corpus.notes)


def test_what_is_left_out_is_counted_and_unlike_pairs_only_if_asked(tmp_path):
    rows = [(f"a{at}", f"b{at}") for at in range(20)] * 2
    rows += [("x", ""), ("short", "long " * 30)]
    file = written(tmp_path, rows)
    corpus = pair_sets.load(file, RULES)
    assert "20 pairs left out that come twice" in corpus.notes
    assert "1 pairs left out with one empty side" in corpus.notes
    assert sum(map(len, corpus.parts.values())) == 21
    dropped = pair_sets.load(file, RULES._replace(drop_unlike=True))
    assert sum(map(len, dropped.parts.values())) == 20
    assert any("few" in note for note in corpus.notes)


def test_the_other_direction_is_the_same_pairs(tmp_path):
    file = written(tmp_path, [(f"a{at}", f"b{at}") for at in range(20)])
    corpus = pair_sets.load(file, RULES._replace(reverse=True, languages=("en", "fr")))
    assert all(pair.source[0] == "b" and pair.target[0] == "a" for pair in corpus.train)
    assert corpus.languages == ("fr", "en")


def test_one_language_on_both_sides_and_too_few_pairs_are_refused(tmp_path):
    rows = [(f"same {at}", f"same {at}") for at in range(30)]
    file = written(tmp_path, rows)
    with pytest.raises(errors.UserError, match=r"same text on both sides.*allow_copies True"):
        pair_sets.load(file, RULES)
    assert pair_sets.load(file, RULES._replace(allow_copies=True)).train
    with pytest.raises(errors.UserError, match="9 different sources are too few"):
        pair_sets.load(written(tmp_path, rows[:9]), RULES)
    with pytest.raises(errors.UserError, match="no such file"):
        pair_sets.load(str(tmp_path / "none.tsv"), RULES)
    with pytest.raises(errors.UserError, match=r"none\.fr: no such file"):
        pair_sets.load(f"{file}+{tmp_path / 'none.fr'}", RULES)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(tmp_path_factory.mktemp("tfds")))
        yield {
            name: pair_sets.load(f"{name}/few", RULES)
            for name in ("grammar_sentences", "pronunciations")
        }


def test_made_sentences_have_no_pair_of_verb_and_object_on_two_sides(made):
    corpus = made["grammar_sentences"]
    assert [len(part) for part in corpus.parts.values()] == [1_000, 100, 100]
    texts = {pair.source: pair.target for pair in corpus.train}
    assert all(one[-1] in ".?" and other[-1] in ".?" for one, other in texts.items())
    assert not [text for text in texts.values() if "Que est" in text or "oeu" in text]
    assert corpus.languages == ("en", "fr")
    assert "pyrealb" in corpus.licence


def test_pronunciations_have_all_of_a_word_s_in_one_part(made):
    corpus = made["pronunciations"]
    parts = [sources(part) for part in corpus.parts.values()]
    assert sum(map(len, parts)) == len(set.union(*parts)) > 2_000
    questions = pair_sets.by_source(corpus.train)
    assert max(len(each.targets) for each in questions) > 1
    assert not set("".join(pair.target for pair in corpus.train)) & set("0123456789")
    with pytest.raises(errors.UserError, match="has no texts 'en' and 'phonemes'"):
        pair_sets.load("pronunciations/few", RULES._replace(languages=("en", "")))
