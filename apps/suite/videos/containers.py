"""Reads what a video's container says of its own length: bytes that lack, pictures it promises.

Sources: ISO/IEC 14496-12, section 4.2 (boxes of mp4 and mov); RIFF as in Multimedia Programming
Interface and Data Specifications 1.0 (1991), chapter 2 (avi); RFC 8794 (EBML) and RFC 9559 (mkv,
webm); ISO/IEC 13818-1 (ts, mpg); RFC 3533 (ogg); Advanced Systems Format 01.20.05, section 3 (wmv);
Adobe Flash Video File Format 10.1, annex E (flv); GIF89a (1990).
"""

import collections
import struct
from pathlib import Path
from typing import BinaryIO

_ISO_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"moof", b"styp", b"sidx"}
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_FILE = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")  # its object of file properties
_LEAST = 16  # bytes of the shortest header
_PACK, _PACK_END, _SYNC, _PACKET = b"\x00\x00\x01\xba", 0xB9, b"\x47", 188
_MOST_MOOV = 1 << 28  # bytes of the tables of an mp4 file that are looked at
_BROADCAST = 1  # flag of that object: the size of the file is not known


def missing_bytes(path: Path) -> int:
    """Returns how many bytes a file lacks at its end, at least; 0 where nothing says so.

    Bytes behind a whole film do not count.
    """
    size = path.stat().st_size
    if size < _LEAST:
        return 0
    with path.open("rb") as file:
        start = file.read(12)
        if start[:4] == b"RIFF" and start[8:] == b"AVI ":
            return max(0, 8 + struct.unpack("<I", start[4:8])[0] - size)
        if start[4:8] == b"ftyp":
            return _of_boxes(file, size)
        if start[:4] == _EBML:
            return _of_segment(file, size)
        if start == _ASF[:12]:
            return _of_asf(file, size)
        if start[:3] == b"FLV":
            return _of_tags(file, size)
        if start[:3] == b"GIF":
            return _of_gif(file, size)
        if start[:4] == b"OggS":
            return _of_pages(file, size)
        if start[:4] == _PACK:
            return _of_packs(file, size)
        if start[:1] == _SYNC and _are_packets(file, size):
            return _of_packets(file, size)
    return 0


def is_stream(path: Path) -> bool:
    """Returns true for a container of recordings (mkv, webm, wmv, flv, mpg, ts) without a table.

    Others may leave a picture standing as long as they please, such as an animated gif.
    """
    with path.open("rb") as file:
        start = file.read(12)
        return (
            start[:4] in (_EBML, _PACK)
            or start == _ASF[:12]
            or start[:3] == b"FLV"
            or (start[:1] == _SYNC and _are_packets(file, path.stat().st_size))
        )


def promised_pictures(path: Path, counted: int) -> int:
    """Returns the exact number of pictures that a container promises, or 0 where it has none.

    Args:
        path: of the file.
        counted: entries of the table of pictures in an mp4 or mov file, as the decoder reads it.

    An avi file promises those of its index, whatever its header says. The edits of an mp4 or mov
    file may leave pictures out: then it promises none.
    """
    size = path.stat().st_size
    if size < _LEAST:
        return 0
    with path.open("rb") as file:
        start = file.read(12)
        if start[:4] == b"RIFF" and start[8:] == b"AVI ":
            return _indexed_pictures(file, size)
        if start[4:8] == b"ftyp":
            return 0 if _is_edited(file, size) else counted
    return 0


def _of_boxes(file: BinaryIO, size: int) -> int:
    """Adds up the boxes of an mp4 or mov file."""
    place, seen = 0, set[bytes]()
    while place + 8 <= size:
        file.seek(place)
        header = file.read(16)
        length, kind = struct.unpack(">I4s", header[:8])
        if kind not in _ISO_BOXES and not kind.isalnum():
            return 0  # something else follows the boxes
        if length == 1 and len(header) == 16:
            length = struct.unpack(">Q", header[8:])[0]
        if length < 8:  # 0: up to the end of the file
            return 0
        whole = {b"moov", b"mdat"} <= seen
        if place + length > size and whole and kind not in _ISO_BOXES:
            return 0  # bytes of some program behind the film, which read as a box
        seen.add(kind)
        place += length
    return max(0, place - size)


def _of_segment(file: BinaryIO, size: int) -> int:
    """Compares the length of the segment of an mkv or webm file, where it says one."""
    file.seek(4)
    length, _ = _ebml_length(file)
    place = file.tell() + length
    file.seek(place)
    if place + 12 > size or file.read(4) != _SEGMENT:
        return 0
    length, unknown = _ebml_length(file)
    return 0 if unknown else max(0, file.tell() + length - size)


def _ebml_length(file: BinaryIO) -> tuple[int, bool]:
    """Reads a length of 1 to 8 bytes, and whether it stands for "unknown"."""
    first = file.read(1)[0]
    count = 9 - first.bit_length()
    value = int.from_bytes(bytes([first]) + file.read(count - 1), "big") & ((1 << 7 * count) - 1)
    return value, value == (1 << 7 * count) - 1


def _of_asf(file: BinaryIO, size: int) -> int:
    """Compares the size in the file properties of a wmv file."""
    file.seek(0)
    header = file.read(1 << 16)
    place = header.find(_ASF_FILE)
    if place < 0 or len(header) < place + 92:
        return 0
    (declared,) = struct.unpack("<Q", header[place + 40 : place + 48])
    (flags,) = struct.unpack("<I", header[place + 88 : place + 92])
    return 0 if flags & _BROADCAST else max(0, declared - size)


def _of_tags(file: BinaryIO, size: int) -> int:
    """Adds up the tags of an flv file."""
    file.seek(5)
    place = int.from_bytes(file.read(4), "big") + 4
    while place < size:
        file.seek(place)
        header = file.read(11)
        if header[0] & 0x1F not in (8, 9, 18):
            return 0  # something else follows the tags
        if len(header) < 11:
            return 11 - len(header)
        place += 11 + int.from_bytes(header[1:4], "big") + 4
    # The last four bytes, the length of the tag once more, are left out by some programs.
    return 0 if place - size == 4 else max(0, place - size)


def _of_gif(file: BinaryIO, size: int) -> int:
    """Goes through the blocks of a gif up to its end mark."""
    file.seek(10)
    packed = file.read(1)[0]
    place = 13 + _colours(packed)
    while place < size:
        file.seek(place)
        kind = file.read(1)
        if kind == b"!":  # an extension: its label, then blocks
            place += 2
        elif kind == b",":  # a picture: nine bytes, perhaps colours, a byte, then blocks
            header = file.read(9)
            if len(header) < 9:
                return 1
            place += 10 + _colours(header[8]) + 1
        else:
            return 0  # the end mark, or something else that follows
        while True:
            file.seek(place)
            length = file.read(1)
            if not length:
                return 1
            place += 1 + length[0]
            if not length[0]:
                break
    return max(1, place - size)


def _colours(packed: int) -> int:
    """Returns the bytes of a table of colours, whose size a byte of flags tells."""
    return 3 << ((packed & 7) + 1) if packed & 0x80 else 0


def _of_pages(file: BinaryIO, size: int) -> int:
    """Goes through the pages of an ogg file: each stream that begins has to end."""
    place, open_streams = 0, set[bytes]()
    while place < size:
        file.seek(place)
        header = file.read(27)
        if header[:4] != b"OggS"[: len(header)]:
            return 0  # something else follows the pages
        if len(header) < 27:
            return 27 - len(header)
        if header[5] & 2:
            open_streams.add(header[14:18])
        if header[5] & 4:
            open_streams.discard(header[14:18])
        lengths = file.read(header[26])
        place += 27 + header[26] + sum(lengths)
    return max(place - size, 1 if open_streams else 0)


def _of_packs(file: BinaryIO, size: int) -> int:
    """Adds up the packs and packets of an mpg file."""
    place = 0
    while place + 6 <= size:
        file.seek(place)
        header = file.read(14)
        kind = header[3]
        if header[:3] != b"\x00\x00\x01" or kind == _PACK_END:
            return 0  # the end, or bytes that are damaged
        if kind == _PACK[3]:
            is_second = len(header) == 14 and header[4] >> 6 == 1
            place += 14 + (header[13] & 7) if is_second else 12
        else:
            place += 6 + int.from_bytes(header[4:6], "big")
    file.seek(min(place, size))
    rest = file.read()
    if rest and _PACK.startswith(rest[:3]):
        return 6 - len(rest)  # the beginning of a header
    return max(0, place - size)


def _are_packets(file: BinaryIO, size: int) -> bool:
    """Returns true for a ts file, which consists of packets of one length."""
    if size < 4 * _PACKET:
        return False
    file.seek(0)
    return file.read(4 * _PACKET)[::_PACKET] == _SYNC * 4


def _of_packets(file: BinaryIO, size: int) -> int:
    """Looks at the last packet of a ts file; one that is cut off between packets looks whole."""
    begun = size % _PACKET
    file.seek(size - begun)
    return _PACKET - begun if file.read(1) == _SYNC else 0


def _indexed_pictures(file: BinaryIO, size: int) -> int:
    """Counts the pictures in the index of an avi file; an entry without a byte repeats one."""
    place = 12
    while place + 8 <= size:
        file.seek(place)
        name, length = struct.unpack("<4sI", file.read(8))
        if name == b"idx1":
            index = file.read(length)
            entries = (index[at : at + 16] for at in range(0, len(index) - 15, 16))
            streams = collections.Counter(
                each[:2] for each in entries if each[2:3] == b"d" and each[12:16] != bytes(4)
            )
            return max(streams.values(), default=0)
        place += 8 + length + length % 2
    return 0


def _is_edited(file: BinaryIO, size: int) -> bool:
    """Returns true if an edit list of an mp4 or mov file shows less than its media hold."""
    place = 0
    while place + 8 <= size:
        file.seek(place)
        header = file.read(16)
        length, kind = struct.unpack(">I4s", header[:8])
        if length == 1 and len(header) == 16:
            length = struct.unpack(">Q", header[8:])[0]
        if kind == b"moov":
            file.seek(place)
            return _shortened(file.read(min(length, _MOST_MOOV)))
        if length < 8:
            return False
        place += length
    return False


def _shortened(moov: bytes) -> bool:
    """Compares the durations of tracks with those of their media, at any depth of boxes."""
    movie = _durations(moov, b"mvhd", 4)
    tracks, media = _durations(moov, b"tkhd", 8), _durations(moov, b"mdhd", 4)
    if not movie or len(tracks) != len(media):
        return b"elst" in moov
    scale = movie[0][0]
    return any(
        shown / scale < 0.98 * held / unit - 0.1
        for (_, shown), (unit, held) in zip(tracks, media, strict=True)
        if scale and unit
    )


def _durations(moov: bytes, kind: bytes, behind: int) -> list[tuple[int, int]]:
    """Returns (units a second, duration) of each box of a kind; of tkhd, the first is an id.

    Args:
        moov: the boxes.
        kind: mvhd, mdhd or tkhd.
        behind: bytes from the end of the box's two times to its duration.
    """
    found, place = list[tuple[int, int]](), moov.find(kind)
    while place >= 0:
        body = moov[place + 4 : place + 44]
        if len(body) == 40:
            times, wide = (16, ">Q") if body[0] == 1 else (8, ">I")
            unit = struct.unpack_from(">I", body, 4 + times)[0]
            found.append((unit, struct.unpack_from(wide, body, 4 + times + behind)[0]))
        place = moov.find(kind, place + 4)
    return found
