"""Recordings are found in the user's files, and read from them."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from apps.speech_commands import recordings
from apps.suite import errors
from apps.suite.data import sound_places
from tests.apps.speech_commands.recorded_words import RATE_HZ, tone, write, write_csv, write_words


def test_words_come_in_order_then_silence_then_unknown():
    labels = {"unknown", "yes", "silence", "no", "backward"}
    assert recordings.label_names(labels) == ("backward", "no", "yes", "silence", "unknown")
    assert recordings.label_names({"b", "unknown", "a"}) == ("a", "b", "unknown")
    assert recordings.label_names({"b", "a"}) == ("a", "b")


def test_a_part_goes_to_another_process_without_its_samples():
    count = 1_000
    part = recordings.Clips(
        tuple(recordings.Recording(f"yes/{n}.wav", "yes", f"v{n}") for n in range(count)),
        tuple(sound_places.Place(f"yes/{n}.wav") for n in range(count)),
        sound_places.FileReader(Path("/data"), 16_000),
    )
    sent = pickle.dumps(part)
    assert pickle.loads(sent) == part
    assert len(sent) < 100 * count


def test_names_of_files_in_folders_tell_the_speaker(tmp_path):
    names = write_words(tmp_path, ["yes", "no"])
    write(tmp_path / "no" / "other.wav", tone(440))
    source = recordings.find_files(tmp_path, RATE_HZ)
    assert sorted([*names, "no/other.wav"]) == [each.name for each in source.recordings]
    assert source.recordings[0] == ("no/ann_nohash_0.wav", "no", "ann")
    assert source.recordings[12] == ("no/other.wav", "no", "")
    assert set(source.parts) == {"train"}


def test_noise_is_not_a_word_and_underlined_names_are_silence_and_unknown(tmp_path):
    write_words(tmp_path, ["yes", "_silence_", "_unknown_", "_background_noise_"], ["ann"], 1)
    source = recordings.find_files(tmp_path, RATE_HZ)
    assert [each.label for each in source.recordings] == ["silence", "unknown", "yes"]
    assert [file.name for file in source.background] == ["ann_nohash_0.wav"]


def test_a_csv_lists_recordings_at_relative_and_absolute_paths(tmp_path):
    loud = write(tmp_path / "else" / "loud.wav", tone(440))
    file = write_csv(
        tmp_path / "words.csv",
        "a/ann_nohash_1.wav,yes,,train",
        f"{loud},no,bob,test",
        "2.wav,_background_noise_,,",
        header="path,label,speaker,part",
    )
    source = recordings.find_files(file, RATE_HZ)
    assert source.recordings == (
        ("a/ann_nohash_1.wav", "yes", ""),
        (str(loud), "no", "bob"),
    )
    assert source.parts == ("train", "test")
    assert [len(source.reader.read(place)) for place in source.places] == [800, 800]
    assert [file.name for file in source.background] == ["2.wav"]


@pytest.fixture
def reader(tmp_path):
    write(tmp_path / "a.wav", tone(300))
    write(tmp_path / "b.wav", tone(400))
    return sound_places.FileReader(tmp_path, RATE_HZ)


def test_reads_whole_files_and_stretches_of_them(reader):
    whole = reader.read(sound_places.Place("a.wav"))
    np.testing.assert_allclose(whole, tone(300), atol=4e-5)
    np.testing.assert_array_equal(reader.read(sound_places.Place("a.wav", 100, 50)), whole[100:150])


def test_digests_tell_files_apart_and_follow_their_content(reader, tmp_path):
    places = [sound_places.Place("a.wav"), sound_places.Place("b.wav")]
    before = reader.digests(places)
    assert len(set(before)) == 2
    write(tmp_path / "b.wav", tone(500))
    after = reader.digests(places)
    assert (after[0] == before[0], after[1] == before[1]) == (True, False)


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(61 * RATE_HZ)])
def test_digests_refuse_files_that_cannot_be_clips(reader, tmp_path, samples):
    write(tmp_path / "c.wav", samples)
    with pytest.raises(errors.UserError, match=r"c\.wav: (holds no sample|61\.0 s is longer)"):
        reader.digests([sound_places.Place("a.wav"), sound_places.Place("c.wav")])
