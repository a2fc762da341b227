"""Tiny models in other formats, written byte by byte: no ONNX and no TensorFlow is needed.

Each: `y` = relu(`x`), if nothing else is said.
"""

from pathlib import Path

import numpy as np


def _varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


def _field(number: int, value: int | str | bytes) -> bytes:
    """Encode one protobuf field."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def onnx(path: Path) -> Path:
    """Write an ONNX file; shape [2,3], FP32."""
    node = _field(1, "x") + _field(2, "y") + _field(4, "Relu")
    return _write(path, _onnx_model(node, (2, 3)))


def onnx_with_data(
    path: Path, numbers: np.ndarray, location: str | None = None, *, offset: int = 0, writes: bool = True
) -> Path:
    """Write an ONNX file whose weights lie outside it: `x` [1,length] -> `y` = x + numbers, FP32.

    Without a `location` they are in a file beside it, with `.data` behind its name.
    """
    place = location or f"{path.name}.data"
    data = numbers.astype(np.float32).tobytes()
    told = {"location": place, "offset": str(offset), "length": str(len(data))}
    weights = _field(1, len(numbers)) + _field(2, 1) + _field(8, "w")
    weights += b"".join(_field(13, _field(1, key) + _field(2, value)) for key, value in told.items()) + _field(14, 1)
    node = _field(1, "x") + _field(1, "w") + _field(2, "y") + _field(4, "Add")
    if writes:
        _write(path.parent / place, bytes(offset) + data)
    return _write(path, _onnx_model(node, (1, len(numbers)), _field(5, weights)))


def _onnx_model(node: bytes, dims: tuple[int, int], initializers: bytes = b"") -> bytes:
    """Make a model of one node, with `x` and `y` of the same shape."""
    shape = b"".join(_field(1, _field(1, dim)) for dim in dims)
    x, y = (_field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, shape))) for name in "xy")
    graph = _field(1, node) + _field(2, "g") + initializers + _field(11, x) + _field(12, y)
    return _field(1, 8) + _field(8, _field(2, 13)) + _field(7, graph)


_TF_SHAPE = _field(2, _field(1, 2)) + _field(2, _field(1, 3))
_TF_FLOAT = _field(6, 1)


def _tf_attribute(name: str, value: bytes) -> bytes:
    return _field(5, _field(1, name) + _field(2, value))


def _tf_graph() -> bytes:
    x = _field(1, "x") + _field(2, "Placeholder")
    x += _tf_attribute("dtype", _TF_FLOAT) + _tf_attribute("shape", _field(7, _TF_SHAPE))
    y = _field(1, "y") + _field(2, "Relu") + _field(3, "x") + _tf_attribute("T", _TF_FLOAT)
    return _field(1, x) + _field(1, y) + _field(4, _field(1, 1000))


def frozen_graph(path: Path) -> Path:
    """Write a TensorFlow graph; its tensors are called `x:0` and `y:0`."""
    return _write(path, _tf_graph())


def saved_model(folder: Path) -> Path:
    """Write saved_model.pb into `folder`."""
    x, y = (_field(1, name) + _field(2, _field(1, f"{name}:0") + _field(2, 1) + _field(3, _TF_SHAPE)) for name in "xy")
    signature = _field(1, x) + _field(2, y) + _field(3, "tensorflow/serving/predict")
    meta = _field(1, _field(4, "serve")) + _field(2, _tf_graph())
    meta += _field(5, _field(1, "serving_default") + _field(2, signature))
    return _write(folder / "saved_model.pb", _field(1, 1) + _field(2, meta))


def _write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
