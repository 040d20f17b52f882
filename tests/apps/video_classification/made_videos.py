"""Video files whose frames tell their own number, and the ways in which such files go wrong."""

import struct

import cv2
import numpy as np

STEP = 4  # grey levels from one frame to the next; of up to 60 frames


def numbered(count, height=48, width=64):
    """Frames of one grey each, uint8 [count, height, width, 3]; see `numbers_in`."""
    greys = (np.arange(count) * STEP + 10).astype(np.uint8)
    return np.broadcast_to(greys[:, None, None, None], (count, height, width, 3)).copy()


def numbers_in(frames):
    """The numbers of frames of `numbered`, int [..., ]; -1 of black ones."""
    grey = frames.reshape(*frames.shape[:-3], -1).astype(float).mean(-1)
    return np.where(grey < 5, -1, np.rint((grey - 10) / STEP)).astype(int)


def write(path, frames, frames_per_second=25.0, codec="MJPG"):
    """Writes RGB frames as JPEG in an mp4 or avi, whose greys are exact to a level or two."""
    path.parent.mkdir(parents=True, exist_ok=True)
    code = cv2.VideoWriter.fourcc(*codec)
    size = (frames.shape[2], frames.shape[1])
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, frames_per_second, size)
    assert writer.isOpened()
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def write_folder(folder, labels=("left", "right"), films=3, clips=2, frames=20):
    """Folders of clips `film0_1.avi`, whose mean grey tells label, film and clip apart."""
    for place, label in enumerate(labels):
        for film in range(films):
            for clip in range(clips):
                content = numbered(frames) // 2
                content[:, :, :32] += np.uint8(place * 60 + film * 7 + clip * 3)
                write(folder / label / f"film{film}_{clip}.avi", content)
    return folder


def promise_frames(path, count):
    """Makes the header of an avi say that it has so many frames."""
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.index(b"avih") + 8 + 16, count)
    struct.pack_into("<I", content, content.index(b"strh") + 8 + 32, count)
    path.write_bytes(content)


def turn(path):
    """Makes an mp4 say that it is to be shown turned by 90 degrees clockwise."""
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 4 + 40  # version 0: the matrix stands behind 40 bytes
    struct.pack_into(">9i", content, place, 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    path.write_bytes(content)


def hold_frames(path, runs):
    """Gives the frames of an mp4 other durations: (frames, ticks) runs."""
    entries = b"".join(struct.pack(">2I", *run) for run in runs)
    table = struct.pack(">2I", 0, len(runs)) + entries

    def rewritten(content):
        found, place = b"", 0
        while place < len(content):
            length, kind = struct.unpack_from(">I4s", content, place)
            inner = content[place + 8 : place + length]
            if kind == b"stts":
                inner = table
            elif kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
                inner = rewritten(inner)
            elif kind == b"edts":  # would cut off what lasts longer than before
                kind = b"free"
            found += struct.pack(">I4s", len(inner) + 8, kind) + inner
            place += length
        return found

    path.write_bytes(rewritten(path.read_bytes()))
