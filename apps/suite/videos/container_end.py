"""Whether a video file ends before its own headers say it does: a copy that was interrupted."""

import struct
from pathlib import Path

_ISO_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"moof", b"styp", b"sidx"}


def missing_bytes(path: Path) -> int:
    """How many bytes mp4, mov and avi files lack at their end; 0 of whole and of other files.

    Sources: ISO/IEC 14496-12, section 4.2 (boxes); RIFF as in Multimedia Programming Interface
    and Data Specifications 1.0 (1991), chapter 2.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(12)
        if start[:4] == b"RIFF" and start[8:] == b"AVI ":
            return max(0, 8 + struct.unpack("<I", start[4:8])[0] - size)
        if start[4:8] != b"ftyp":
            return 0
        place = 0
        while place + 8 <= size:
            file.seek(place)
            header = file.read(16)
            length, kind = struct.unpack(">I4s", header[:8])
            if kind not in _ISO_BOXES and not kind.isalnum():
                return 0  # something else stands behind the boxes
            if length == 1 and len(header) == 16:
                length = struct.unpack(">Q", header[8:])[0]
            if length < 8:  # 0: up to the end of the file
                return 0
            place += length
    return max(0, place - size)
