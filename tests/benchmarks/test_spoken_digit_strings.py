"""Strings keep a speaker out of training, and each text says the clips that it is joined from."""

import collections
import csv

import numpy as np
import pytest
import soundfile

from benchmarks import spoken_digit_strings

LEVELS = {"ada": 0.1, "bob": 0.2, "cy": 0.4}  # of a clip, which say whose it is


@pytest.fixture
def recordings(tmp_path):
    folder = tmp_path / "recordings"
    folder.mkdir()
    for speaker, level in LEVELS.items():
        for digit in range(10):
            for number in range(8):
                sound = np.full(400 + 10 * digit, level)
                soundfile.write(folder / f"{digit}_{speaker}_{number}.wav", sound, 8_000)
    return folder


def test_a_speaker_is_heard_in_the_test_part_alone_and_each_clip_of_it_once(
    recordings, tmp_path, monkeypatch
):
    monkeypatch.setattr(spoken_digit_strings, "COUNTS", {"train": 40, "validation": 10})
    listed = spoken_digit_strings.write(recordings, "cy", tmp_path / "strings", 0)
    with listed.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    parts = collections.Counter(row["part"] for row in rows)
    assert (parts["train"], parts["validation"]) == (40, 10)
    said = collections.Counter()
    for row in rows:
        words = row["text"].split()
        assert 3 <= len(words) <= 7
        assert (row["part"] == "test") == (row["speaker"] == "cy")
        samples, rate = soundfile.read(listed.with_name(row["path"]))
        assert rate == 8_000
        loud = np.abs(samples - LEVELS[row["speaker"]]) < 1e-3
        digits = [spoken_digit_strings.DIGITS.index(word) for word in words]
        assert abs(loud.sum() - sum(400 + 10 * digit for digit in digits)) < 20
        if row["part"] == "test":
            said.update(words)
    assert sum(said.values()) >= 80 - 2
    assert max(said.values()) <= 8


def test_a_folder_without_such_recordings_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="no recordings"):
        spoken_digit_strings.clips(tmp_path, "cy")
