"""Models that are asked in batches, and what config.pbtxt says of them."""

from pathlib import Path

import numpy as np
import openvino as ov
from openvino import opset13 as ops

import small_models


def write(root: Path, text: str, model: ov.Model, name: str = "m") -> Path:
    """A model in the repository `root`, with its config.pbtxt."""
    small_models.save(model, root / name / "1")
    (root / name / "config.pbtxt").write_text(text)
    return root / name


def only_eight() -> ov.Model:
    """`x` [8,3] -> `y` [8,3] = 2x; takes no other batch."""
    x = small_models.parameter("x", [8, 3])
    flat = ops.reshape(x, ops.constant(np.array([24], np.int64)), special_zero=False)
    back = ops.reshape(ops.add(flat, flat), ops.constant(np.array([8, 3], np.int64)), special_zero=False)
    return ov.Model([small_models.named(back, "y")], [x], "only_eight")


def touchy() -> ov.Model:
    """`x` [-1,2] -> `y` = x + 1; fails on any batch with a number above 100 in it."""
    x = small_models.parameter("x", [-1, 2])
    greatest = ops.convert(ops.reduce_max(x, ops.constant(np.array([0, 1])), keep_dims=True), "i64")
    above = ops.convert(ops.greater(greatest, ops.constant(np.int64(100))), "i64")
    columns = ops.add(ops.multiply(above, ops.constant(np.int64(1_000_001))), ops.constant(np.int64(2)))
    rows = ops.constant(np.array([-1], np.int64))
    shape = ops.concat([rows, ops.reshape(columns, ops.constant(np.array([1])), special_zero=False)], 0)
    shaped = ops.reshape(x, shape, special_zero=False)
    return ov.Model([small_models.named(ops.add(shaped, ops.constant(np.float32(1))), "y")], [x], "touchy")


def two_outputs() -> ov.Model:
    """`x` [-1,4] -> `more` = x + 1 and `double` = 2x."""
    x = small_models.parameter("x", [-1, 4])
    more = small_models.named(ops.add(x, ops.constant(np.float32(1))), "more")
    return ov.Model([more, small_models.named(ops.add(x, x), "double")], [x], "two_outputs")
