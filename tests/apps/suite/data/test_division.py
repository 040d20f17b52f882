"""Groups stay whole, labels are spread, and the sentence tells how parts were made."""

import collections
import itertools

import pytest

from apps.suite import errors
from apps.suite.data import division
from apps.suite.data.config import OwnConfig
from apps.suite.data.labelled_files import PARTS, Example

FRACTIONS = {"validation": 0.15, "test": 0.15}


def spoken(triples, parts=None):
    """Makes examples of (label, speaker, take) triples."""
    parts = parts or [""] * len(triples)
    return [
        Example(f"{word}/{speaker}-{take}.wav", word, speaker, part)
        for (word, speaker, take), part in zip(triples, parts, strict=True)
    ]


def by_speaker(found, divided_by="", fractions=FRACTIONS, seed=0):
    return division.by_speaker(found, divided_by, fractions, seed, source="here", silence="silence")


def everybody(words="ab", voices=20, takes=3):
    return [(w, f"v{v}", t) for w, v, t in itertools.product(words, range(voices), range(takes))]


def by_part(whole, parts, field):
    found = collections.defaultdict(set)
    for recording, part in zip(whole, parts, strict=True):
        found[part].add(getattr(recording, field))
    return found


def test_no_voice_is_in_two_parts():
    whole = spoken(everybody())
    parts, told = by_speaker(whole)
    voices = by_part(whole, parts, "group")
    assert {part: len(heard) for part, heard in voices.items()} == {
        "train": 14,
        "validation": 3,
        "test": 3,
    }
    assert len(set.union(*voices.values())) == 20
    assert told == "by speaker: 14 voices train, 3 validation, 3 test"


def test_the_seed_alone_decides():
    whole = spoken(everybody())
    divided = [by_speaker(whole, seed=seed)[0] for seed in (0, 0, 1)]
    assert divided[0] == divided[1] != divided[2]


def test_more_recordings_of_the_same_voices_leave_every_voice_in_its_part():
    few, many = spoken(everybody(takes=1)), spoken(everybody(takes=5))
    before = by_part(few, by_speaker(few)[0], "group")
    assert by_part(many, by_speaker(many)[0], "group") == before


def test_three_voices_are_enough():
    whole = spoken(everybody(voices=3))
    parts, _ = by_speaker(whole)
    assert [len(by_part(whole, parts, "group")[part]) for part in PARTS] == [1, 1, 1]


@pytest.mark.parametrize("seed", range(5))
def test_every_label_is_in_train_though_few_voices_say_it(seed):
    found = [*everybody("ab", 12), ("rare", "v0", 0), ("rare", "v1", 0)]
    whole = spoken(found)
    parts, told = by_speaker(whole, "", {"validation": 0.3, "test": 0.3}, seed)
    assert "rare" in by_part(whole, parts, "label")["train"]
    assert told.startswith("by speaker")


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (everybody(voices=2), "2 voices train, 2 validation, 2 test; 2 of the test's are heard in"),
        ([(w, "", t) for w, t in itertools.product("ab", range(20))], "speakers are not known"),
        ([*everybody(), ("a", "", 0)], "speakers are not known"),
        ([(w, w, t) for w, t in itertools.product("abcd", range(20))], "4 voices train"),
    ],
)
def test_where_voices_cannot_be_held_out_recordings_are_and_it_is_said(found, told):
    whole = spoken(found)
    parts, sentence = by_speaker(whole)
    assert sentence.startswith("by recording, the same share of every label: ")
    assert told in sentence
    for label in {each.label for each in whole}:
        counts = collections.Counter(
            part for recording, part in zip(whole, parts, strict=True) if recording.label == label
        )
        assert counts["validation"] == counts["test"]
        assert counts["test"] / counts.total() == pytest.approx(0.15, abs=0.04)


def test_nobody_speaks_in_silence():
    whole = spoken([*everybody(), *[("silence", "", take) for take in range(20)]])
    parts, told = by_speaker(whole)
    assert told == "by speaker: 14 voices train, 3 validation, 3 test"
    silent = collections.Counter(
        part for recording, part in zip(whole, parts, strict=True) if recording.label == "silence"
    )
    assert silent == {"train": 14, "validation": 3, "test": 3}


def test_given_parts_stay_and_it_is_said_whose_voice_was_heard_in_training():
    given = ["train", "validation", "test"] * 40
    whole = spoken(everybody(), given)
    parts, told = by_speaker(whole, "the column part of a.csv")
    assert list(parts) == given
    assert told.startswith("by the column part of a.csv: 20 voices train, 20 validation, 20 test;")
    assert "20 of the test's are heard in training too" in told


def test_a_part_that_is_not_given_comes_from_train_and_the_others_stay():
    given = ["test" if speaker in ("v0", "v1") else "train" for _, speaker, _ in everybody()]
    whole = spoken(everybody(), given)
    parts, told = by_speaker(whole, "testing_list.txt")
    voices = by_part(whole, parts, "group")
    assert voices["test"] == {"v0", "v1"}
    assert len(voices["validation"]) == 3  # of eighteen
    assert not voices["validation"] & voices["train"]
    assert told == (
        "by testing_list.txt, validation taken from train by speaker: "
        "15 voices train, 3 validation, 2 test"
    )


def test_nothing_to_train_on():
    whole = spoken(everybody(takes=1), ["test"] * 40)
    with pytest.raises(errors.UserError, match="here: no recording is in the part train"):
        by_speaker(whole, "testing_list.txt")


def test_a_label_with_too_few_recordings():
    whole = spoken([("a", "", 0), ("a", "", 1), *[("b", "", take) for take in range(9)]])
    with pytest.raises(errors.UserError, match="2 recordings of 'a' are too few to be in 3 parts"):
        by_speaker(whole)


@pytest.mark.parametrize("count", [3, 4, 5, 7])
def test_no_part_is_ever_empty_however_large_the_fractions(count):
    whole = spoken(everybody(voices=count))
    parts, _ = by_speaker(whole, "", {"validation": 0.9, "test": 0.9})
    assert set(parts) == set(PARTS)


def videos(groups=20, each=4, labels=("a", "b")):
    return [
        Example(f"{group}-{number}", labels[(group + number) % len(labels)], f"film {group}")
        for group in range(groups)
        for number in range(each)
    ]


def by_group(found, divided_by="", seed=0, test_fraction=0.15, **own):
    fractions = {"test": test_fraction, "validation": 0.15}
    return division.by_group(found, divided_by, OwnConfig(**own), fractions, seed, unit="videos")


def groups_of(found, parts, part):
    return {video.group for video, each in zip(found, parts, strict=True) if each == part}


def test_no_group_is_on_two_sides_and_shares_are_about_as_asked():
    found = videos()
    parts, sentence = by_group(found)
    sides = [groups_of(found, parts, part) for part in PARTS]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 20
    counts = collections.Counter(parts)
    assert 0.1 <= counts["test"] / len(found) <= 0.2
    assert 0.1 <= counts["validation"] / len(found) <= 0.2
    assert sentence.startswith("by group: ")
    assert f"{len(sides[0])} groups ({counts['train']} videos) train" in sentence


def test_labels_are_spread_alike():
    found = videos(40, 2, "aab")
    parts, _ = by_group(found)
    for part in PARTS:
        mine = [video.label for video, each in zip(found, parts, strict=True) if each == part]
        assert 0.5 < mine.count("a") / len(mine) < 0.8


def test_folds_are_every_group_once_as_test_and_never_in_two_parts():
    found = videos(17)
    tested: list[str] = []
    for fold in range(5):
        parts, sentence = by_group(found, folds=5, fold=fold)
        sides = [groups_of(found, parts, part) for part in PARTS]
        assert sum(map(len, sides)) == 17
        assert all(sides)
        tested += sides[2]
        assert sentence.startswith(f"fold {fold + 1} of 5, by group: ")
    assert sorted(tested) == sorted({video.group for video in found})


def test_the_seed_decides_and_nothing_else():
    found = videos()
    first = by_group(found, seed=1)
    assert by_group(found, seed=1) == first
    assert by_group(found, seed=2) != first


def test_without_groups_the_sentence_says_so():
    found = [video._replace(group="") for video in videos()]
    _, sentence = by_group(found)
    assert sentence.startswith("by file, as there are no groups: 5")
    assert sentence.endswith("clips of one scene may be on two sides")


def test_parts_that_the_data_say_stand():
    found = [video._replace(part=PARTS[int(video.group[5:]) % 3]) for video in videos()]
    parts, sentence = by_group(found, "the column part of a.csv")
    assert parts == [video.part for video in found]
    assert sentence.startswith("the column part of a.csv: 7 groups (28 videos) train, ")


def test_a_part_that_the_data_lack_is_taken_from_train_alone():
    found = [
        video._replace(part="test" if video.group < "film 12" else "train") for video in videos()
    ]
    parts, sentence = by_group(found, "the splits of x")
    for video, part in zip(found, parts, strict=True):
        assert (part == "test") == (video.part == "test")
    assert parts.count("validation") > 0
    assert sentence.startswith("the splits of x; what they lack by group")


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([*videos(2), Example("x", "a")], "x: has no group, others have one"),
        (videos(1), "all videos are of one group, 'film 0': give more groups"),
        (
            [
                Example("x", "a", "one", "train"),
                Example("y", "b", "one", "test"),
                Example("z", "b", "two", "validation"),
            ],
            "group 'one' is on two sides: x in train, y in test",
        ),
        (videos(2, 1, "ab"), "2 videos of 2 labels are too few to divide"),
    ],
)
def test_what_cannot_be_divided_is_told(found, message):
    with pytest.raises(errors.UserError, match=message):
        by_group(found)


def test_three_groups_are_enough():
    parts, _ = by_group(videos(3), test_fraction=0.34)
    assert set(parts) == set(PARTS)


def test_the_fold_behind_the_tested_one_validates_if_it_is_to_and_every_group_does_once():
    found = videos(17)
    folds = [by_group(found, folds=5, fold=fold)[0] for fold in range(5)]
    for fold in range(5):
        parts, _ = by_group(found, folds=5, fold=fold, validation_fold=True)
        behind = folds[(fold + 1) % 5]
        assert groups_of(found, parts, "test") == groups_of(found, folds[fold], "test")
        assert groups_of(found, parts, "validation") == groups_of(found, behind, "test")


def test_keys_stay_whole_and_only_what_is_in_train_is_drawn():
    keys = [f"k{at // 2}" for at in range(40)]
    given = ["test" if at < 4 else "train" for at in range(40)]
    found = division.by_key(keys, given, {"validation": 3}, seed=0)
    assert found[:4] == ["test"] * 4
    assert found.count("validation") == 6
    assert all(found[at] == found[at + 1] for at in range(0, 40, 2))
    assert found == division.by_key(keys, given, {"validation": 3}, seed=0)
    assert found != division.by_key(keys, given, {"validation": 3}, seed=1)
    both = division.by_key(keys, ["train"] * 40, {"test": 2, "validation": 3}, seed=0)
    assert (both.count("test"), both.count("validation")) == (4, 6)
