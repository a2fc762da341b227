"""BYTES tensors in raw contents: each element is its length (4 bytes, little endian) and its bytes."""

import struct

import numpy as np

from ovserve.errors import WrongContent
from ovserve.tensors import Array

_LENGTH = struct.Struct("<I")


def read(raw: bytes, count: int, label: str) -> Array:
    """Read exactly `count` elements into an object array; raises `WrongContent`."""
    if count * _LENGTH.size > len(raw):
        raise WrongContent(f"{label} expects {count} elements, which {len(raw)} bytes cannot hold")
    elements = np.empty(count, np.object_)
    at = 0
    for index in range(count):
        start = at + _LENGTH.size
        if start > len(raw):
            raise WrongContent(f"{label} expects {count} elements, got {index}")
        at = start + _LENGTH.unpack_from(raw, at)[0]
        if at > len(raw):
            raise WrongContent(f"{label}: element {index} is {at - start} bytes long, but {len(raw) - start} remain")
        elements[index] = raw[start:at]
    if at != len(raw):
        raise WrongContent(f"{label} expects {count} elements, after which {len(raw) - at} bytes remain")
    return elements


def write(elements: Array) -> bytes:
    return b"".join(part for element in elements.ravel() for part in (_LENGTH.pack(len(element)), element))
