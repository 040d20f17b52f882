import struct

import pytest

from apps.suite import errors
from apps.suite.sounds import sound_files
from tests.apps.speech_commands import recorded_words


@pytest.fixture
def wav(tmp_path):
    """A wav file of 800 samples of 16 bits."""
    return recorded_words.write(tmp_path / "word.wav", recorded_words.tone(440))


def declare(file, count):
    content = file.read_bytes()
    place = content.index(b"data") + 4
    file.write_bytes(content[:place] + struct.pack("<I", count) + content[place + 4 :])


def test_an_honest_header_passes(wav):
    sound_files.check_header(wav)


def test_other_parts_of_a_wav_file_may_stand_on_both_sides_of_the_samples(wav):
    content = wav.read_bytes()
    note = b"note" + struct.pack("<I", 3) + b"abc\0"  # of odd length, so filled up to an even one
    place = content.index(b"data")
    wav.write_bytes(content[:place] + note + content[place:] + note)
    sound_files.check_header(wav)


def test_samples_of_odd_length_are_filled_up(tmp_path):
    wav = recorded_words.write(tmp_path / "a.wav", recorded_words.tone(440)[:799], subtype="PCM_U8")
    wav.write_bytes(wav.read_bytes() + b"note" + struct.pack("<I", 2) + b"ab")
    sound_files.check_header(wav)


def test_other_kinds_of_files_are_not_its_business(tmp_path):
    sound_files.check_header(recorded_words.write(tmp_path / "a.flac", recorded_words.tone(440)))


@pytest.mark.parametrize("declared", [1602, 1_000_000, 0xFFFFFFFF])
def test_more_samples_declared_than_there_are(wav, declared):
    declare(wav, declared)
    with pytest.raises(errors.UserError, match=f"declares {declared:,} bytes .* holds 1,600"):
        sound_files.check_header(wav)


@pytest.mark.parametrize("declared", [0, 400, 1580])
def test_fewer_samples_declared_than_there_are(wav, declared):
    declare(wav, declared)
    with pytest.raises(errors.UserError, match=f"declares {declared:,} bytes .* 1,600 follow"):
        sound_files.check_header(wav)


def test_a_recording_that_was_cut_off(wav):
    wav.write_bytes(wav.read_bytes()[:-100])
    with pytest.raises(errors.UserError, match=r"declares 1,600 bytes .* holds 1,500"):
        sound_files.check_header(wav)


def test_a_header_without_samples(wav):
    content = wav.read_bytes()
    wav.write_bytes(content[: content.index(b"data")])
    with pytest.raises(errors.UserError, match=r"word\.wav: the header declares no samples"):
        sound_files.check_header(wav)
