"""Texts as bytes and back, in Triton's form: 4 bytes of length, little end first, then the text."""

import struct
from typing import Any

import numpy as np

from ovserve.engine.python_backend.pb_errors import TritonModelException
from ovserve.tensors import Array


def serialize_byte_tensor(input_tensor: Array) -> Any:
    """Write an array of texts as one array of objects that holds the bytes, None for anything else but texts."""
    if input_tensor.size == 0:
        return np.empty([0], dtype=np.object_)
    if input_tensor.dtype.kind not in "OS":
        return None
    texts = (_bytes(text) for text in input_tensor.ravel().tolist())
    written = b"".join(struct.pack("<I", len(text)) + text for text in texts)
    return np.asarray(written, dtype=np.object_)


def _bytes(text: Any) -> bytes:
    return text if isinstance(text, bytes) else str(text).encode()


def deserialize_bytes_tensor(encoded_tensor: bytes) -> Array:
    """Read texts; raises `TritonModelException` where they do not end with the bytes."""
    texts: list[bytes] = []
    at = 0
    while at < len(encoded_tensor):
        begin = at + 4
        if begin > len(encoded_tensor):
            raise TritonModelException("the bytes end within a length")
        at = begin + struct.unpack_from("<I", encoded_tensor, begin - 4)[0]
        if at > len(encoded_tensor):
            raise TritonModelException("the bytes end within a text")
        texts.append(bytes(encoded_tensor[begin:at]))
    return np.array(texts, dtype=np.object_)
