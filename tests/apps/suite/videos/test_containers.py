"""A video file that was cut off is told from a whole one with other bytes behind it."""

import struct

import numpy as np
import pytest

from apps.suite.videos import containers, video_files
from apps.suite.videos.config import ClipConfig
from tests.apps.video_classification import made_videos

CODECS = {".mp4": "MJPG", ".mov": "MJPG", ".avi": "MJPG", ".mkv": "MJPG", ".webm": "VP80",
          ".flv": "FLV1", ".wmv": "WMV2", ".mpg": "MPG1", ".ts": "MPG2"}  # fmt: skip
EIGHT = ClipConfig(frames=8, height=24, width=32, sampling="uniform")


def film(folder, suffix):
    if suffix == ".gif":
        return gif(folder / "a.gif")
    frames = made_videos.numbered(30)
    return made_videos.write(folder / f"a{suffix}", frames, codec=CODECS[suffix])


def gif(path, delays=(4,) * 12):
    """An animated gif of 2 x 2 pixels, each frame of another grey, with its delays in 1/100 s."""
    colours = bytes(value for grey in range(0, 256, 16) for value in (grey,) * 3)
    content = b"GIF89a" + struct.pack("<HHBBB", 2, 2, 0xF3, 0, 0) + colours
    for number, delay in enumerate(delays):
        content += b"!\xf9\x04" + struct.pack("<BHBB", 0, delay, 0, 0)
        content += b"," + struct.pack("<HHHHB", 0, 0, 2, 2, 0)
        # Of codes of 5 bits: clear, four pixels, end; the reader's codes grow to 6 bits after 15
        codes = [16, *[number % 16] * 4, 17]
        bits = sum(code << 5 * at for at, code in enumerate(codes))
        content += b"\x04\x04" + bits.to_bytes(4, "little") + b"\0"
    path.write_bytes(content + b";")
    return path


@pytest.mark.parametrize("suffix", [*CODECS, ".gif"])
def test_a_whole_film_lacks_nothing_also_with_other_bytes_behind_it(tmp_path, suffix):
    path = film(tmp_path, suffix)
    assert containers.missing_bytes(path) == 0
    whole = video_files.read(path, EIGHT, 1)
    trailer = struct.pack(">I4s", 1_397_048_904, b"data") + b"vendor" * 8
    for tail in (trailer, bytes(1_000), b"\xff" * 7):
        path.write_bytes(path.read_bytes() + tail)
        assert containers.missing_bytes(path) == 0
    np.testing.assert_array_equal(video_files.read(path, EIGHT, 1).frames, whole.frames)


@pytest.mark.parametrize("suffix", [*CODECS, ".gif"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_film_that_was_cut_off_is_refused(tmp_path, suffix, share):
    path = film(tmp_path, suffix)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content)) | 1])  # odd: not between two packets
    assert containers.missing_bytes(path) > 0
    with pytest.raises(video_files.UnreadableError, match="is cut off"):
        video_files.read(path, EIGHT, 1)


@pytest.mark.parametrize("suffix", [*CODECS, ".gif"])
def test_no_length_of_a_file_is_too_short_to_look_at(tmp_path, suffix):
    content = film(tmp_path, suffix).read_bytes()
    for length in range(0, 200, 3):
        (tmp_path / "short").write_bytes(content[:length])
        containers.missing_bytes(tmp_path / "short")


def test_a_segment_of_unknown_length_is_that_of_a_live_recording(tmp_path):
    path = film(tmp_path, ".mkv")
    content = bytearray(path.read_bytes())
    place = content.index(b"\x18\x53\x80\x67") + 4
    content[place : place + 8] = b"\x01" + b"\xff" * 7
    path.write_bytes(content[: len(content) // 2])
    assert containers.missing_bytes(path) == 0


def test_the_frames_of_a_gif_are_taken_by_their_times(tmp_path):
    frames = (5,) * 8 + (100,) * 4  # a tenth of the time on the first two thirds of the frames
    path = gif(tmp_path / "a.gif", frames)
    config = ClipConfig(frames=8, height=2, width=2, sampling="uniform")
    greys = video_files.read(path, config, 1).frames[0].mean(axis=(1, 2, 3))
    (row,) = video_files.rows(path, 8, None)
    assert (greys >= 8 * 16).sum() >= 6
    np.testing.assert_array_equal(row.mean(axis=(1, 2, 3)), greys)


def page(serial, flags, content):
    """A page of an ogg file, without its sum, which is not looked at."""
    lengths = bytes([255] * (len(content) // 255) + [len(content) % 255])
    header = b"OggS" + struct.pack("<BBqIIIB", 0, flags, 0, serial, 0, 0, len(lengths))
    return header + lengths + content


def test_the_streams_of_an_ogg_file_end_with_their_last_pages(tmp_path):
    pages = [page(1, 2, b"theora"), page(2, 2, b"vorbis"), page(1, 0, bytes(700)),
             page(2, 4, b"end"), page(1, 4, b"end")]  # fmt: skip
    path = tmp_path / "a.ogv"
    path.write_bytes(b"".join(pages))
    assert containers.missing_bytes(path) == 0
    path.write_bytes(b"".join(pages) + b"other bytes")
    assert containers.missing_bytes(path) == 0
    path.write_bytes(b"".join(pages[:-1]))
    assert containers.missing_bytes(path) == 1
    path.write_bytes(b"".join(pages[:3])[:-100])
    assert containers.missing_bytes(path) == 100


def test_empty_chunks_of_an_avi_file_are_pictures_that_repeat(tmp_path):
    path = film(tmp_path, ".avi")
    assert containers.promised_pictures(path, 99) == 30
    content = bytearray(path.read_bytes())
    entries = content.index(b"idx1") + 8
    for entry in (4, 9):
        content[entries + 16 * entry + 12 : entries + 16 * entry + 16] = bytes(4)
    path.write_bytes(content)
    assert containers.promised_pictures(path, 99) == 28


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_a_film_whose_edits_leave_pictures_out_promises_none(tmp_path, suffix):
    path = film(tmp_path, suffix)
    assert containers.promised_pictures(path, 30) == 30
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 4 + 20  # version 0: two times, an id and a gap before it
    (shown,) = struct.unpack_from(">I", content, place)
    assert shown
    struct.pack_into(">I", content, place, shown // 2)
    path.write_bytes(content)
    assert containers.promised_pictures(path, 30) == 0


def test_other_containers_promise_no_number_of_pictures(tmp_path):
    assert containers.promised_pictures(film(tmp_path, ".mkv"), 30) == 0
    (tmp_path / "short").write_bytes(b"RIFF")
    assert containers.promised_pictures(tmp_path / "short", 30) == 0
