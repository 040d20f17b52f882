import collections
import itertools
from pathlib import Path

import pytest

from apps.speech_commands import recordings
from apps.suite import errors
from apps.suite.data import division, file_reader

FRACTIONS = {"validation": 0.15, "test": 0.15}


def source(found, parts=None, divided_by=""):
    """Of (label, speaker, take) triples."""
    clips = [recordings.Recording(f"{w}/{s}-{t}.wav", w, s) for w, s, t in found]
    return recordings.Source(
        name="",
        licence="",
        source="here",
        recordings=tuple(clips),
        places=tuple(recordings.Place(clip.name) for clip in clips),
        parts=tuple(parts or ["train"] * len(clips)),
        divided_by=divided_by,
        reader=file_reader.FileReader(Path(), 16_000),
        background=(),
    )


def everybody(words="ab", voices=20, takes=3):
    return [(w, f"v{v}", t) for w, v, t in itertools.product(words, range(voices), range(takes))]


def by_part(whole, parts, field):
    found = collections.defaultdict(set)
    for recording, part in zip(whole.recordings, parts, strict=True):
        found[part].add(getattr(recording, field))
    return found


def test_no_voice_is_in_two_parts():
    whole = source(everybody())
    parts, told = division.divide(whole, FRACTIONS, seed=0)
    voices = by_part(whole, parts, "speaker")
    assert {part: len(heard) for part, heard in voices.items()} == {
        "train": 14,
        "validation": 3,
        "test": 3,
    }
    assert len(set.union(*voices.values())) == 20
    assert told == "by speaker: 14 voices train, 3 validation, 3 test"


def test_the_seed_alone_decides():
    whole = source(everybody())
    divided = [division.divide(whole, FRACTIONS, seed)[0] for seed in (0, 0, 1)]
    assert divided[0] == divided[1] != divided[2]


def test_more_recordings_of_the_same_voices_leave_every_voice_in_its_part():
    few, many = source(everybody(takes=1)), source(everybody(takes=5))
    before = by_part(few, division.divide(few, FRACTIONS, 0)[0], "speaker")
    assert by_part(many, division.divide(many, FRACTIONS, 0)[0], "speaker") == before


def test_three_voices_are_enough():
    whole = source(everybody(voices=3))
    parts, _ = division.divide(whole, FRACTIONS, seed=0)
    assert [len(by_part(whole, parts, "speaker")[part]) for part in recordings.PARTS] == [1, 1, 1]


@pytest.mark.parametrize("seed", range(5))
def test_every_label_is_in_train_though_few_voices_say_it(seed):
    found = [*everybody("ab", 12), ("rare", "v0", 0), ("rare", "v1", 0)]
    whole = source(found)
    parts, told = division.divide(whole, {"validation": 0.3, "test": 0.3}, seed)
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
    whole = source(found)
    parts, sentence = division.divide(whole, FRACTIONS, seed=0)
    assert sentence.startswith("by recording, the same share of every label: ")
    assert told in sentence
    for label in {each.label for each in whole.recordings}:
        counts = collections.Counter(
            part
            for recording, part in zip(whole.recordings, parts, strict=True)
            if recording.label == label
        )
        assert counts["validation"] == counts["test"]
        assert counts["test"] / counts.total() == pytest.approx(0.15, abs=0.04)


def test_nobody_speaks_in_silence():
    whole = source([*everybody(), *[("silence", "", take) for take in range(20)]])
    parts, told = division.divide(whole, FRACTIONS, seed=0)
    assert told == "by speaker: 14 voices train, 3 validation, 3 test"
    silent = collections.Counter(
        part
        for recording, part in zip(whole.recordings, parts, strict=True)
        if recording.label == "silence"
    )
    assert silent == {"train": 14, "validation": 3, "test": 3}


def test_given_parts_stay_and_it_is_said_whose_voice_was_heard_in_training():
    given = ["train", "validation", "test"] * 40
    whole = source(everybody(), given, "the column part of a.csv")
    parts, told = division.divide(whole, FRACTIONS, seed=0)
    assert list(parts) == given
    assert told.startswith("by the column part of a.csv: 20 voices train, 20 validation, 20 test;")
    assert "20 of the test's are heard in training too" in told


def test_a_part_that_is_not_given_comes_from_train_and_the_others_stay():
    given = ["test" if speaker in ("v0", "v1") else "train" for _, speaker, _ in everybody()]
    whole = source(everybody(), given, "testing_list.txt")
    parts, told = division.divide(whole, FRACTIONS, seed=0)
    voices = by_part(whole, parts, "speaker")
    assert voices["test"] == {"v0", "v1"}
    assert len(voices["validation"]) == 3  # of eighteen
    assert not voices["validation"] & voices["train"]
    assert told == (
        "by testing_list.txt, validation taken from train by speaker: "
        "15 voices train, 3 validation, 2 test"
    )


def test_nothing_to_train_on():
    whole = source(everybody(takes=1), ["test"] * 40, "testing_list.txt")
    with pytest.raises(errors.UserError, match="here: no recording is in the part train"):
        division.divide(whole, FRACTIONS, seed=0)


def test_a_label_with_too_few_recordings():
    whole = source([("a", "", 0), ("a", "", 1), *[("b", "", take) for take in range(9)]])
    with pytest.raises(errors.UserError, match="2 recordings of 'a' are too few to be in 3 parts"):
        division.divide(whole, FRACTIONS, seed=0)


@pytest.mark.parametrize("count", [3, 4, 5, 7])
def test_no_part_is_ever_empty_however_large_the_fractions(count):
    whole = source(everybody(voices=count))
    parts, _ = division.divide(whole, {"validation": 0.9, "test": 0.9}, seed=0)
    assert set(parts) == set(recordings.PARTS)
