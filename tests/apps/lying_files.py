"""Pictures and sounds with headers that lie, and some that are larger than they look."""

import functools
import io
import struct
import wave
import zlib


def png(width, height, declared=None, before=b""):
    """A grey picture of one bit a pixel, all black."""

    def chunk(kind, content):
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", *(declared or (width, height)), 1, 0, 0, 0, 0)
    packed = zlib.compressobj(9)
    row = bytes(1 + -(-width // 8))
    content = b"".join(packed.compress(row * 100) for _ in range(height // 100))
    content += packed.compress(row * (height % 100)) + packed.flush()
    head = b"\x89PNG\r\n\x1a\n" + before
    return head + chunk(b"IHDR", header) + chunk(b"IDAT", content) + chunk(b"IEND", b"")


def gif(screen, frames):
    """A picture whose frames are a single pixel's data, of whatever size they declare."""
    content = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    for width, height in frames:
        content += b"\x21\xf9\x04\0\0\0\0\0"
        content += b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0)
        content += b"\x02\x02\x44\x01\x00"
    return content + b"\x3b"


def jpeg(width, height):
    """A header of a picture, with one scan that ends at once."""
    table = b"\xff\xdb\x00\x43\x00" + b"\x01" * 64
    frame = b"\xff\xc0\x00\x0b\x08" + struct.pack(">HH", height, width) + b"\x01\x01\x11\x00"
    huffman = b"".join(
        b"\xff\xc4\x00\x14" + kind + b"\x01" + b"\0" * 15 + b"\0" for kind in (b"\x00", b"\x10")
    )
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + b"\0" * 4_000
    return b"\xff\xd8" + table + frame + huffman + scan + b"\xff\xd9"


def bmp(width, height, bits=24):
    head = struct.pack("<2sIHHIIiiHHIIiiII", b"BM", 54, 0, 0, 54, 40, width, height, 1, bits,
                       0, 0, 0, 0, 0, 0)  # fmt: skip
    return head + b"\0" * 300


@functools.cache
def pictures():
    other = struct.pack(">I4s", 0, b"tEXt") + struct.pack(">I", zlib.crc32(b"tEXt"))
    return [
        ("PNG of 23,000 x 23,000", png(23_000, 23_000)),
        ("PNG that declares 2,147,483,647 sides", png(8, 8, (2**31 - 1, 2**31 - 1))),
        ("PNG that declares 60,000 x 60,000", png(8, 8, (60_000, 60_000))),
        ("PNG of no side", png(8, 8, (0, 8))),
        ("PNG with a chunk before its header", png(20_000, 20_000, before=other)),
        ("PNG of one line", png(4_000_000, 1)),
        ("PNG of one column", png(1, 4_000_000)),
        ("GIF of 65,535 x 65,535", gif((65_535, 65_535), [(65_535, 65_535)])),
        ("GIF with a large later frame", gif((8, 8), [(8, 8), (65_535, 65_535)])),
        ("GIF with many frames", gif((900, 900), [(900, 900)] * 2_000)),
        ("GIF without a frame", gif((8, 8), [])),
        ("JPEG that declares 65,500 x 65,500", jpeg(65_500, 65_500)),
        ("JPEG that declares 0 x 0", jpeg(0, 0)),
        ("BMP that declares 60,000 x 60,000", bmp(60_000, 60_000)),
        ("BMP that declares negative sides", bmp(-(2**31), -(2**31))),
        ("BMP of 1 bit", bmp(16, 16, 1)),
    ]


def sounds():
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8_000)
        sound.writeframes(bytes(800))
    content = file.getvalue()
    for what, at, lie in (
        ("data of 4,294,967,295 bytes", 40, b"\xff" * 4), ("data of 0 bytes", 40, bytes(4)),
        ("65,535 channels", 22, b"\xff\xff"), ("0 channels", 22, bytes(2)),
        ("0 bits", 34, bytes(2)), ("a rate of 0", 24, bytes(4)), ("blocks of 0", 32, bytes(2)),
        ("a format of 4,294,967,295 bytes", 16, b"\xff" * 4),
    ):  # fmt: skip
        yield f"WAV of {what}", content[:at] + lie + content[at + len(lie) :]
    yield "WAV without data", content[:44]
