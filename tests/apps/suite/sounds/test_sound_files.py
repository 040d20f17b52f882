"""Sound files of every format give their samples, and wrong headers are refused."""

import io
import struct
import tracemalloc

import numpy as np
import pytest

from apps.suite import errors
from apps.suite.sounds import sound_files, wav_headers
from tests.apps.speech_commands import recorded_words, sounds
from tests.apps.speech_commands.recorded_words import tone, write

NOISE = (np.random.default_rng(3).normal(size=20_011) * 0.1).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "options", "tolerance"),
    [
        ("a.wav", {}, 4e-5),
        ("a.WAV", {"subtype": "PCM_24"}, 1e-6),
        ("a.wav", {"subtype": "FLOAT"}, 0.0),
        ("a.wav", {"subtype": "PCM_U8"}, 1e-2),
        ("a.flac", {}, 4e-5),
        ("a.ogg", {}, 0.1),  # lossy
    ],
)
def test_every_format_gives_its_samples(tmp_path, name, options, tolerance):
    said = tone(440, 0.5)
    heard = sound_files.read(write(tmp_path / name, said, **options), 8_000)
    assert heard.dtype == np.float32
    assert heard.shape == said.shape
    np.testing.assert_allclose(heard, said, atol=tolerance)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 44_100, 48_000])
def test_another_rate_is_resampled_to_the_same_sound(tmp_path, rate_hz):
    file = write(tmp_path / "a.wav", tone(440, 0.5, rate_hz), rate_hz, subtype="FLOAT")
    heard = sound_files.read(file, 16_000)
    expected = tone(440, 0.5, 16_000)
    assert abs(len(heard) - len(expected)) <= 1
    middle = slice(800, 7_000)  # a filter sees half of what it needs at either end
    np.testing.assert_allclose(heard[middle], expected[middle], atol=1e-3)


def test_what_is_too_high_for_the_rate_is_filtered_out_and_not_folded_down(tmp_path):
    file = write(tmp_path / "a.wav", tone(7_000, 0.5, 48_000), 48_000)
    assert np.abs(sound_files.read(file, 8_000)[400:-400]).max() < 1e-3


def test_channels_are_mixed(tmp_path):
    left, right = tone(300), tone(500)
    file = write(tmp_path / "a.wav", np.stack([left, right], axis=1), subtype="FLOAT")
    np.testing.assert_allclose(sound_files.read(file, 8_000), (left + right) / 2, atol=1e-7)


def test_part_of_a_recording(tmp_path):
    file = write(tmp_path / "a.wav", NOISE, subtype="FLOAT")
    np.testing.assert_array_equal(sound_files.read(file, 8_000, 1_000, 500), NOISE[1_000:1_500])


@pytest.mark.parametrize("rate_hz", [8_000, 44_100])
@pytest.mark.parametrize("block_seconds", [0.002, 0.013, 0.5, 100.0])
@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_blocks_put_together_are_the_whole(tmp_path, rate_hz, block_seconds, suffix):
    stereo = np.stack([NOISE, NOISE[::-1]], axis=1)
    file = write(tmp_path / f"a.{suffix}", stereo, rate_hz)
    blocks = list(sound_files.blocks(file, 8_000, block_seconds))
    assert all(len(block) for block in blocks)
    np.testing.assert_allclose(np.concatenate(blocks), sound_files.read(file, 8_000), atol=1e-6)


class Dribble(io.RawIOBase):
    """A pipe that gives an odd number of bytes at a time."""

    def __init__(self, content):
        self._content = io.BytesIO(content)

    def read(self, size=-1):
        return self._content.read(min(size, 7))


@pytest.mark.parametrize("rate_hz", [8_000, 16_000])
@pytest.mark.parametrize("stream", [io.BytesIO, Dribble])
def test_raw_samples_of_a_pipe_are_those_of_a_file(tmp_path, rate_hz, stream):
    samples = np.rint(NOISE[:4_001] * 32768).astype("<i2")
    file = write(tmp_path / "a.wav", samples, rate_hz)
    blocks = sound_files.raw_blocks(stream(samples.tobytes() + b"\1"), rate_hz, 8_000, 0.05)
    heard = np.concatenate(list(blocks))
    np.testing.assert_allclose(heard, sound_files.read(file, 8_000), atol=1e-6)


def test_an_empty_pipe_gives_nothing():
    assert not list(sound_files.raw_blocks(io.BytesIO(b""), 8_000, 16_000, 0.1))


def test_a_huge_file_is_streamed_and_not_loaded(tmp_path):
    file = write(tmp_path / "a.wav", np.zeros(8_000, np.int16), 8_000)
    seconds = 4_000  # 64 MB
    content = bytearray(file.read_bytes())
    place = content.index(b"data") + 4
    content[place : place + 4] = (seconds * 16_000).to_bytes(4, "little")
    file.write_bytes(content)
    with file.open("r+b") as opened:
        opened.truncate(place + 4 + seconds * 16_000)  # zeros that take no room on the disk
    tracemalloc.start()
    with pytest.raises(errors.UserError, match=r"4,000\.0 s is longer than the 60 s .* cut it"):
        sound_files.read(file, 8_000)
    count = sum(len(block) for block in sound_files.blocks(file, 8_000, 1.0))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == seconds * 8_000
    assert peak_bytes < 2_000_000


def with_sample(value):
    samples = NOISE.copy()
    samples[1_234] = value
    return samples


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("a.wav", lambda file: None, "no such file"),
        ("a.wav", lambda file: file.write_bytes(b""), "cannot be read as audio .* give wav, flac"),
        ("a.wav", lambda file: file.write_bytes(b"hello " * 99), "cannot be read as audio"),
        ("a.wav", lambda file: write(file, NOISE[:0]), "holds no sample"),
        ("a.flac", lambda file: write(file, NOISE[:0]), "holds no sample|cannot be read as audio"),
        (
            "a.wav",
            lambda file: write(file, with_sample(np.nan), subtype="FLOAT"),
            "sample 1,234 is not a number",
        ),
        (
            "a.wav",
            lambda file: write(file, with_sample(-np.inf), subtype="DOUBLE"),
            "sample 1,234 is not a number",
        ),
        (
            "a.wav",
            lambda file: write(file, 1000 * NOISE, subtype="FLOAT"),
            r"samples of a float file lie in -1\.\.1",
        ),
    ],
)
def test_what_cannot_be_used_is_said_with_its_path(tmp_path, name, make, message):
    file = tmp_path / name
    make(file)
    for use in (
        lambda: sound_files.read(file, 16_000),
        lambda: list(sound_files.blocks(file, 16_000, 0.1)),
    ):
        with pytest.raises(errors.UserError, match=message) as raised:
            use()
        assert str(raised.value).startswith(f"{file}: ")
        assert "\n" not in str(raised.value)


# An ogg does not say how long it is
@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "aiff", "au"])
def test_a_recording_that_was_cut_off_is_no_shorter_recording(tmp_path, suffix):
    file = write(tmp_path / f"a.{suffix}", NOISE)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) * 2 // 3])
    for use in (
        lambda: sound_files.read(file, 16_000),
        lambda: list(sound_files.blocks(file, 16_000, 0.1)),
    ):
        with pytest.raises(errors.UserError, match=f"a.{suffix}: "):
            use()


def test_length_comes_from_the_header(tmp_path):
    length = sound_files.length(write(tmp_path / "a.flac", tone(440, 0.25, 44_100), 44_100))
    assert length == (11_025, 44_100)
    assert length.seconds == 0.25


def test_real_speech_is_read_whole_and_in_blocks():
    for file in sounds.spoken_files(3):
        whole = sound_files.read(file, 16_000)
        assert 0.01 < np.abs(whole).max() <= 1.1
        assert len(whole) == pytest.approx(2 * sound_files.length(file).frames, abs=1)
        joined = np.concatenate(list(sound_files.blocks(file, 16_000, 0.1)))
        np.testing.assert_allclose(joined, whole, atol=1e-6)


def test_a_recording_shorter_than_a_sample_of_the_rate_is_refused(tmp_path):
    file = recorded_words.write(tmp_path / "a.wav", NOISE[:1], 48_000)
    with pytest.raises(errors.UserError, match="holds no sample at 8000 Hz"):
        sound_files.read(file, 8_000)


@pytest.fixture
def wav(tmp_path):
    """A wav file of 800 samples of 16 bits."""
    return write(tmp_path / "word.wav", tone(440))


def declare(file, count):
    content = file.read_bytes()
    place = content.index(b"data") + 4
    file.write_bytes(content[:place] + struct.pack("<I", count) + content[place + 4 :])


def test_an_honest_header_passes(wav):
    wav_headers.check(wav)


def test_other_parts_of_a_wav_file_may_stand_on_both_sides_of_the_samples(wav):
    content = wav.read_bytes()
    note = b"note" + struct.pack("<I", 3) + b"abc\0"  # of odd length, so filled up to an even one
    place = content.index(b"data")
    wav.write_bytes(content[:place] + note + content[place:] + note)
    wav_headers.check(wav)


def test_samples_of_odd_length_are_filled_up(tmp_path):
    wav = write(tmp_path / "a.wav", tone(440)[:799], subtype="PCM_U8")
    wav.write_bytes(wav.read_bytes() + b"note" + struct.pack("<I", 2) + b"ab")
    wav_headers.check(wav)


def test_other_kinds_of_files_are_not_its_business(tmp_path):
    wav_headers.check(write(tmp_path / "a.flac", tone(440)))


@pytest.mark.parametrize("declared", [1602, 1_000_000, 0x7FFE0000])
def test_more_samples_declared_than_there_are(wav, declared):
    declare(wav, declared)
    with pytest.raises(errors.UserError, match=f"declares {declared:,} bytes .* holds 1,600"):
        wav_headers.check(wav)


@pytest.mark.parametrize("declared", [0xFFFFFFFF, 0x80000000 - 44, 0x7FFFF000])
def test_a_recording_that_was_written_into_a_pipe_is_read_to_its_end(wav, declared):
    whole = sound_files.read(wav, 8_000)
    declare(wav, declared)
    assert sound_files.length(wav).frames == 800
    np.testing.assert_array_equal(sound_files.read(wav, 8_000), whole)
    np.testing.assert_array_equal(np.concatenate([*sound_files.blocks(wav, 8_000, 0.01)]), whole)


def test_a_flac_without_a_length_is_read_to_its_end(tmp_path):
    file = write(tmp_path / "pipe.flac", NOISE)
    whole = sound_files.read(file, 8_000)
    content = bytearray(file.read_bytes())
    content[21] &= 0xF0  # the 36 bits of the count of samples: 0 = unknown
    content[22:26] = bytes(4)
    file.write_bytes(content)
    assert sound_files.length(file).frames == len(NOISE)
    np.testing.assert_array_equal(sound_files.read(file, 8_000), whole)
    np.testing.assert_array_equal(sound_files.read(file, 8_000, 100, 50), whole[100:150])
    np.testing.assert_array_equal(np.concatenate([*sound_files.blocks(file, 8_000, 0.1)]), whole)


@pytest.mark.parametrize("tail", [bytes(64), bytes(5), bytes(3), b"TAG" + b"song" * 31, b"ID3\4\0"])
def test_zeros_and_tags_behind_the_samples_pass(wav, tail):
    whole = sound_files.read(wav, 8_000)
    wav.write_bytes(wav.read_bytes() + tail)
    np.testing.assert_array_equal(sound_files.read(wav, 8_000), whole)


@pytest.mark.parametrize("suffix", ["mp3", "wav", "flac"])
def test_a_file_that_macos_leaves_beside_a_sound_changes_nothing(tmp_path, suffix):
    file = write(tmp_path / f"a.{suffix}", NOISE)
    whole = sound_files.read(file, 8_000)
    (tmp_path / f"._a.{suffix}").write_text("not a sound")
    np.testing.assert_array_equal(sound_files.read(file, 8_000), whole)


def test_samples_behind_zeros_are_a_wrong_header(wav):
    declare(wav, 800)
    wav.write_bytes(wav.read_bytes()[:844] + bytes(64) + wav.read_bytes()[844:])
    with pytest.raises(errors.UserError, match="the header is wrong"):
        wav_headers.check(wav)


@pytest.mark.parametrize("whole", [0, 0xFFFFFFFF])
def test_a_recording_whose_program_left_its_lengths_at_zero_is_read_to_its_end(wav, whole):
    """As a recorder leaves them that is killed, with any length of the whole."""
    samples = sound_files.read(wav, 8_000)
    declare(wav, 0)
    content = wav.read_bytes()
    wav.write_bytes(content[:4] + struct.pack("<I", whole) + content[8:])
    assert sound_files.length(wav).frames == 800
    np.testing.assert_array_equal(sound_files.read(wav, 8_000), samples)
    np.testing.assert_array_equal(sound_files.read(wav, 8_000, 100, 50), samples[100:150])
    np.testing.assert_array_equal(np.concatenate([*sound_files.blocks(wav, 8_000, 0.01)]), samples)


@pytest.mark.parametrize("tail", [b"", b"LIST" + struct.pack("<I", 4) + b"abcd"])
def test_a_recording_of_no_sample_stays_one(wav, tail):
    declare(wav, 0)
    wav.write_bytes(wav.read_bytes()[: wav.read_bytes().index(b"data") + 8] + tail)
    with pytest.raises(errors.UserError, match="holds no sample"):
        sound_files.length(wav)


@pytest.mark.parametrize("declared", [400, 1580])
def test_fewer_samples_declared_than_there_are(wav, declared):
    declare(wav, declared)
    with pytest.raises(errors.UserError, match=f"declares {declared:,} bytes .* 1,600 follow"):
        wav_headers.check(wav)


def test_a_recording_that_was_cut_off(wav):
    wav.write_bytes(wav.read_bytes()[:-100])
    with pytest.raises(errors.UserError, match=r"declares 1,600 bytes .* holds 1,500"):
        wav_headers.check(wav)


def test_a_header_without_samples(wav):
    content = wav.read_bytes()
    wav.write_bytes(content[: content.index(b"data")])
    with pytest.raises(errors.UserError, match=r"word\.wav: the header declares no samples"):
        wav_headers.check(wav)
