import collections
from pathlib import Path

import pytest

from apps.speech_commands import data, recordings
from apps.suite import errors
from apps.suite.data import labelled_files, sound_places


def source(**counts):
    """So many recordings of each label in each of the three parts, and those parts."""
    clips, parts = [], []
    for part in labelled_files.PARTS:
        for label, count in counts.items():
            clips += [recordings.Recording(f"{part}/{label}/{n}", label, "") for n in range(count)]
            parts += [part] * count
    places = tuple(sound_places.Place(clip.name) for clip in clips)
    reader = sound_places.FileReader(Path(), 16_000)
    found = recordings.Source(
        name="", licence="", source="here",
        recordings=tuple(clips), places=places, parts=tuple(parts), divided_by="", reader=reader,
    )  # fmt: skip
    return found, parts


def labels(found, part):
    return dict(collections.Counter(recording.label for recording, _ in found[part]))


def test_without_a_choice_every_label_stays_with_all_its_recordings():
    found = data.choose_words(*source(yes=5, no=7, unknown=50), words=(), seed=0)
    assert labels(found, "train") == labels(found, "test") == {"yes": 5, "no": 7, "unknown": 50}


def test_what_was_not_chosen_is_unknown_and_no_more_of_it_than_of_a_word():
    found = data.choose_words(
        *source(yes=20, no=30, bed=40, cat=40, unknown=9, silence=3), words=("yes", "no"), seed=0
    )
    for part in labelled_files.PARTS:
        assert labels(found, part) == {"yes": 20, "no": 30, "unknown": 25, "silence": 3}
    kept = {r.name.split("/")[1] for r, _ in found["train"] if r.label == "unknown"}
    assert kept == {"bed", "cat", "unknown"}


def test_recordings_keep_their_places():
    found = data.choose_words(*source(yes=5, no=7, bed=9), words=("yes",), seed=0)
    assert all(recording.name == place.file for part in found.values() for recording, place in part)


def test_the_seed_decides_which_are_kept():
    whole = source(yes=5, bed=50)
    kept = [data.choose_words(*whole, words=("yes",), seed=seed) for seed in (0, 0, 1)]
    assert kept[0] == kept[1] != kept[2]


def test_a_word_that_the_data_do_not_have():
    with pytest.raises(
        errors.UserError, match=r"audio\.words: 'noo' is not a label of here; .* no, y"
    ):
        data.choose_words(*source(yes=5, no=7), words=("yes", "noo"), seed=0)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"a": 50, "b": 50}, 10),  # a tenth of all words
        (dict.fromkeys("abcdefghijklmnopqrst", 40), 40),  # a word's mean
        ({"a": 3, "b": 2, "unknown": 90}, 1),
    ],
)
def test_silence_is_as_frequent_as_a_word_but_not_much_of_little(counts, expected):
    found, _ = source(**counts)
    third = found.recordings[: len(found.recordings) // 3]
    assert data.silence_count(third) == expected
