"""Whether a wav file is as long as its header says."""

import struct
from pathlib import Path

from apps import errors

_CHUNK = struct.Struct("<4sI")


def check(path: Path) -> None:
    """Passes a RIFF wav file whose chunks fill it, and every other kind of file.

    libsndfile quietly reads as many samples as the header and the file both hold, so that a
    truncated or wrongly written recording would be taken for a shorter one.

    Raises:
        UserError: the header declares more samples than the file holds, or fewer.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(4) != b"RIFF":
            return
        place = 12  # behind RIFF, its size and WAVE
        while place + _CHUNK.size <= size:
            file.seek(place)
            name, declared = _CHUNK.unpack(file.read(_CHUNK.size))
            place += _CHUNK.size
            if name == b"data":
                file.seek(min(place + declared + declared % 2, size))
                follows = file.read(_CHUNK.size)
                _compare(path, declared, size - place, follows)
                return
            place += declared + declared % 2  # chunks begin at even places
    raise errors.UserError(
        f"{path}: the header declares no samples; it is cut off: write the file anew"
    )


def _compare(path: Path, declared: int, held: int, follows: bytes) -> None:
    """`held` bytes lie behind the header of the chunk of samples; `follows` begins the next one."""
    if declared > held:
        raise errors.UserError(
            f"{path}: the header declares {declared:,} bytes of samples, the file holds {held:,}; "
            "it is cut off or wrongly written: write it anew"
        )
    if len(follows) < _CHUNK.size:
        return
    name, size = _CHUNK.unpack(follows)
    left = held - declared - declared % 2 - _CHUNK.size
    if not all(32 <= byte < 127 for byte in name) or size > left:
        raise errors.UserError(
            f"{path}: the header declares {declared:,} bytes of samples, {held:,} follow and are "
            "no other part of a wav file; the header is wrong: write the file anew"
        )
