"""Checks that headers of wav, aiff and au files fit their files, and mends lengths left at 0."""

import io
import os
import struct
from pathlib import Path
from typing import Any, BinaryIO

from apps.suite import errors

# A recorder that writes into a pipe cannot go back to fill in the length: it leaves the largest
# one, or that less a header or a block.
_STREAMED_BYTES = (1 << 31) - (1 << 16)
_TAGS = (b"TAG", b"ID3", b"APETAGEX")  # of music players, behind the samples
_CHUNK = struct.Struct("<4sI")


def check(path: Path) -> None:
    """Checks that the header of a wav, aiff or au file fits its length; other files pass.

    libsndfile silently reads as many samples as header and file both hold, so a truncated or
    wrongly written recording would be taken for a shorter one. A length that stands for "unknown",
    0 or the largest, as programs write it into a pipe, and zeros or tags behind the samples pass.

    Raises:
        UserError: the header declares more samples than the file holds, or fewer.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(28)
        declared_end = _declared_end(start)
        if declared_end > size:
            raise errors.UserError(
                f"{path}: the header declares {declared_end:,} bytes, the file holds {size:,}; "
                "it is cut off: write it anew"
            )
        if start[:4] != b"RIFF":
            return
        found = _samples(file, size)
        if found is not None:
            place, declared = found
            file.seek(min(place + declared + declared % 2, size))
            _compare(path, file, declared, size - place)
            return
    raise errors.UserError(
        f"{path}: the header declares no samples; it is cut off: write the file anew"
    )


def _samples(file: BinaryIO, size: int) -> tuple[int, int] | None:
    """Finds the samples of a wav file: where they begin, and the bytes that its header declares."""
    place = 12  # after RIFF, its size and WAVE
    while place + _CHUNK.size <= size:
        file.seek(place)
        name, declared = _CHUNK.unpack(file.read(_CHUNK.size))
        place += _CHUNK.size
        if name == b"data":
            return place, declared
        place += declared + declared % 2  # chunks begin at even places
    return None


def unclosed(path: Path) -> dict[int, bytes]:
    """Returns the lengths that a wav file should declare whose program left them at 0, by place.

    libsndfile would find no sample in it. Another part after samples of no length is left alone.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(4) != b"RIFF":
            return {}
        found = _samples(file, size)
        if found is None or found[1] or found[0] >= size or size >= 1 << 32:
            return {}
        place = found[0]
        file.seek(place)
        follows = file.read(_CHUNK.size)
        if len(follows) == _CHUNK.size:
            name, length = _CHUNK.unpack(follows)
            if all(32 <= byte < 127 for byte in name) and length <= size - place - _CHUNK.size:
                return {}
    return {4: struct.pack("<I", size - 8), place - 4: struct.pack("<I", size - place)}


class Mended(io.FileIO):
    """A file in which some bytes read otherwise.

    Args:
        path: of the file.
        others: bytes by their place.
    """

    def __init__(self, path: Path, others: dict[int, bytes]) -> None:
        super().__init__(path)
        self._others = others

    def readinto(self, buffer: Any) -> int:
        begin = self.tell()
        count = super().readinto(buffer) or 0
        view = memoryview(buffer).cast("B")
        for place, value in self._others.items():
            for at, byte in enumerate(value, place):
                if begin <= at < begin + count:
                    view[at - begin] = byte
        return count

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            size = os.fstat(self.fileno()).st_size - self.tell()
        content = bytearray(size)
        return bytes(content[: self.readinto(content)])


def _declared_end(start: bytes) -> int:
    """Returns the bytes that the header of an aiff, au or long wav file declares, else 0."""
    if len(start) < 28:
        return 0
    if start[:4] == b"FORM":
        return 8 + int.from_bytes(start[4:8], "big")
    if start[:4] == b".snd":
        offset, samples = struct.unpack(">II", start[4:12])
        return 0 if samples == 0xFFFFFFFF else offset + samples  # unknown: written into a pipe
    if start[:4] == b"RF64" and start[12:16] == b"ds64":
        return 8 + int.from_bytes(start[20:28], "little")
    return 0


def _compare(path: Path, file: BinaryIO, declared: int, held: int) -> None:
    """Compares declared bytes of samples with the `held` ones.

    Args:
        path: for errors.
        file: stands after the declared samples.
        declared: bytes of samples, as the header has them.
        held: bytes from the first sample to the end of the file.
    """
    if declared > held:
        if declared >= _STREAMED_BYTES:
            return  # written into a pipe: all that follows are samples
        raise errors.UserError(
            f"{path}: the header declares {declared:,} bytes of samples, the file holds {held:,}; "
            "it is cut off or wrongly written: write it anew"
        )
    follows = file.read(_CHUNK.size)
    if len(follows) < _CHUNK.size or follows.startswith(_TAGS):
        return
    name, size = _CHUNK.unpack(follows)
    left = held - declared - declared % 2 - _CHUNK.size
    if all(32 <= byte < 127 for byte in name) and size <= left:
        return
    if not any(follows) and _only_zeros(file):
        return  # filled up to the size of a block
    if not declared:
        return  # written into a pipe that was never closed: all that follows are samples
    raise errors.UserError(
        f"{path}: the header declares {declared:,} bytes of samples, {held:,} follow and are "
        "not another part of a wav file; the header is wrong: write the file anew"
    )


def _only_zeros(file: BinaryIO) -> bool:
    """Returns whether no byte but zero is left in a file."""
    while block := file.read(1 << 20):
        if any(block):
            return False
    return True
