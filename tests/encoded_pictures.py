"""Picture files made on the spot, sound and hostile."""

import struct
import zlib

import cv2
import numpy as np


def png(pixels: np.ndarray) -> bytes:
    """Encode exactly: what is decoded again is equal."""
    return cv2.imencode(".png", pixels)[1].tobytes()


def jpeg(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def handmade_png(width: int, height: int, data: bytes = b"", *, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG that says what it likes of itself."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(data)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
