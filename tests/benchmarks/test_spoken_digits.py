import csv
from collections import defaultdict

import pytest

from benchmarks import spoken_digits

SPEAKERS = ("anna", "bert", "carla")


@pytest.fixture
def digits(tmp_path):
    for speaker in SPEAKERS:
        for digit in (0, 7):
            for index in range(12):
                (tmp_path / f"{digit}_{speaker}_{index}.wav").touch()
    (tmp_path / "notes.wav").touch()
    return spoken_digits.read(tmp_path)


def parts(digits, split, tmp_path):
    file = tmp_path / "splits" / "split.csv"
    spoken_digits.write_csv(digits, split, file)
    found = defaultdict(list)
    with file.open(newline="") as rows:
        for row in csv.DictReader(rows):
            found[row["part"]].append(row)
    assert sum(map(len, found.values())) == len(digits) == 72
    return found


@pytest.mark.parametrize("speaker", SPEAKERS)
def test_nothing_of_the_tested_speaker_is_in_train_or_validation(digits, speaker, tmp_path):
    found = parts(digits, speaker, tmp_path)
    assert {row["speaker"] for row in found["test"]} == {speaker}
    assert len(found["test"]) == 24
    for part in ("train", "validation"):
        assert {row["speaker"] for row in found[part]} == set(SPEAKERS) - {speaker}


def test_the_official_test_part_is_the_first_five_recordings_of_each(digits, tmp_path):
    found = parts(digits, "official", tmp_path)
    indices = {
        part: {int(row["path"].rsplit("_", 1)[1].removesuffix(".wav")) for row in rows}
        for part, rows in found.items()
    }
    assert indices == {
        "test": set(range(5)),
        "validation": {5, 6, 7},
        "train": set(range(8, 12)),
    }


def test_a_folder_of_other_files_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="no recordings like 0_george_0"):
        spoken_digits.read(tmp_path)
