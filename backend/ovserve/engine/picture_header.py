"""What a picture file says of itself before anything is decoded. Pure.

Sources: ISO/IEC 10918-1 annex B (JPEG markers), the PNG specification (https://www.w3.org/TR/png-3), chunk IHDR.
"""

import struct
from dataclasses import dataclass

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_SIZE = struct.Struct(">4sII")  # the first chunk's name, width and height
_PNG_SIZE_AT = len(_PNG) + 4
_PNG_CHUNK = struct.Struct(">I4s")
_PNG_CHUNK_AROUND = 12  # length and name before, checksum behind
_PNG_END = b"IEND"
_MOST_CHUNKS = 1 << 16  # of 8 KB each, as is usual, for 512 MB

_JPEG = b"\xff\xd8"
_JPEG_END = b"\xff\xd9"
_JPEG_SIZE = struct.Struct(">HH")  # height, width
_JPEG_SIZE_AT = 5  # after marker, length and precision
_MARK = 0xFF
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length
_SCAN = 0xDA
_MOST_MARKERS = 4096  # before the first scan, fill bytes too; 255 of them hold the largest colour profile


class BadPicture(ValueError):
    """The bytes are no picture that is decoded; says why, as the end of a sentence about it."""


@dataclass(frozen=True, slots=True)
class Size:
    height: int
    width: int

    @property
    def pixels(self) -> int:
        return self.height * self.width

    def __str__(self) -> str:
        return f"{self.height}x{self.width}"


def read_size(data: bytes) -> Size:
    """Find the size of a JPEG or PNG; raises `BadPicture`, also where its end is missing."""
    if not data:
        raise BadPicture("is empty, expected a JPEG or PNG file")
    if data.startswith(_PNG):
        size = _size_of_png(data)
    elif data.startswith(_JPEG):
        size = _size_of_jpeg(data)
    else:
        raise BadPicture(f"is neither JPEG nor PNG: it begins with {data[:4].hex(' ')}")
    if not size.pixels:
        raise BadPicture(f"cannot be decoded: it says that it is {size} pixels large")
    return size


def _size_of_png(data: bytes) -> Size:
    if len(data) < _PNG_SIZE_AT + _PNG_SIZE.size:
        raise BadPicture("is a PNG that ends within its header")
    name, width, height = _PNG_SIZE.unpack_from(data, _PNG_SIZE_AT)
    if name != b"IHDR":
        raise BadPicture("is a PNG that does not begin with its header")
    _walk_png(data)
    return Size(height, width)


def _walk_png(data: bytes) -> None:
    """Check that each chunk is there: for one that only says that it is large, OpenCV would take the memory."""
    at = len(_PNG)
    for _ in range(_MOST_CHUNKS):
        if at + _PNG_CHUNK.size > len(data):
            break
        length, name = _PNG_CHUNK.unpack_from(data, at)
        at += _PNG_CHUNK_AROUND + length
        if name == _PNG_END and at <= len(data):
            return
    raise BadPicture("is a PNG whose end is missing")


def _size_of_jpeg(data: bytes) -> Size:
    size: Size | None = None
    at = len(_JPEG)
    for _ in range(_MOST_MARKERS):
        if at + 4 > len(data) or data[at] != _MARK:
            break
        marker = data[at + 1]
        if marker == _MARK or marker in _ALONE:  # two marks in a row: the first is a fill byte
            at += 1 if marker == _MARK else 2
            continue
        if marker in _FRAMES and size is None and at + _JPEG_SIZE_AT + _JPEG_SIZE.size <= len(data):
            size = Size(*_JPEG_SIZE.unpack_from(data, at + _JPEG_SIZE_AT))
        if marker == _SCAN:
            break
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    if size is None:
        raise BadPicture("is a JPEG that does not say its size")
    if data.rfind(_JPEG_END) < at:
        raise BadPicture("is a JPEG whose end is missing")
    return size
