"""Small OpenVINO models, made on the spot."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import openvino as ov
from openvino import opset13 as ops

NUMERIC = ("boolean", "u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64", "f16", "bf16", "f32", "f64")
ALL = (*NUMERIC, "string")
KSERVE = dict(
    zip(
        ALL,
        (
            "BOOL",
            "UINT8",
            "UINT16",
            "UINT32",
            "UINT64",
            "INT8",
            "INT16",
            "INT32",
            "INT64",
            "FP16",
            "BF16",
            "FP32",
            "FP64",
            "BYTES",
        ),
        strict=True,
    )
)

Shape = Sequence[int | str] | ov.PartialShape


def parameter(name: str, shape: Shape, kind: str = "f32") -> ov.Node:
    node = ops.parameter(
        shape if isinstance(shape, ov.PartialShape) else ov.PartialShape(list(shape)), getattr(ov.Type, kind), name=name
    )
    node.output(0).get_tensor().set_names({name})
    return node


def named(node: ov.Node, name: str) -> ov.Node:
    result = ops.result(node)
    result.output(0).set_names({name})
    return result


def save(model: ov.Model, folder: Path) -> Path:
    """Write model.xml and model.bin into `folder`, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    ov.save_model(model, folder / "model.xml", compress_to_fp16=False)
    return folder


def pass_through(kind: str, shape: Shape) -> ov.Model:
    """A bare pass-through: input and output are one tensor, named `x`."""
    node = parameter("x", shape, kind)
    return ov.Model([named(node, "x")], [node], f"pass_{kind}")


def add_one(shape: Shape, kind: str = "f32") -> ov.Model:
    """`x` -> `y` = x + 1."""
    node = parameter("x", shape, kind)
    one = ops.constant(np.array(1, getattr(ov.Type, kind).to_dtype()))
    return ov.Model([named(ops.add(node, one), "y")], [node], "add_one")


def add_sub(shape: Shape) -> ov.Model:
    """`a`, `b` -> `sum`, `difference`."""
    a, b = parameter("a", shape), parameter("b", shape)
    return ov.Model([named(ops.add(a, b), "sum"), named(ops.subtract(a, b), "difference")], [a, b], "add_sub")


def slow() -> ov.Model:
    """`n` -> `y`: n rounds of a matrix product that take about 2 ms each on one core."""
    n = parameter("n", [], "i64")
    state = ops.constant(np.eye(300, dtype=np.float32))
    body_state = ops.parameter([300, 300], ov.Type.f32)
    weights = ops.constant(np.full((300, 300), 1 / 300, np.float32))
    product = ops.matmul(body_state, weights, transpose_a=False, transpose_b=False)
    again = ops.constant(np.array(True))
    body = ov.Model([ops.result(again), ops.result(product)], [body_state], "round")
    loop = ops.loop(n, ops.constant(np.array(True)))
    loop.set_function(body)
    loop.set_special_body_ports([-1, 0])
    loop.set_merged_input(body_state, state.output(0), body.get_results()[1].output(0))
    out = loop.get_iter_value(body.get_results()[1].output(0), -1)
    return ov.Model([named(ops.reduce_sum(out, ops.constant(np.array([0, 1]))), "y")], [n], "slow")


def table(numbers: np.ndarray) -> ov.Model:
    """`x` [2] -> `y`: the numbers at these places."""
    x = parameter("x", [2], "i64")
    return ov.Model([named(ops.gather(ops.constant(numbers), x, ops.constant(0)), "y")], [x], "table")


def flat() -> ov.Model:
    """`x` [1,3,2,2] -> `y` [1,12]; takes no other shape."""
    x = parameter("x", [1, 3, 2, 2])
    return ov.Model([named(ops.reshape(x, np.array([1, 12]), special_zero=False), "y")], [x], "flat")


def channel_sum(layout: str | None = None) -> ov.Model:
    """`x` [1,3,8,8] -> `y` [1,1,8,8], a convolution that sums three channels; takes any size and batch."""
    x = parameter("x", [1, 3, 8, 8])
    if layout is not None:
        x.set_layout(ov.Layout(layout))
    one, none = [1, 1], [0, 0]
    summed = ops.convolution(x, ops.constant(np.ones((1, 3, 1, 1), np.float32)), one, none, none, one)
    return ov.Model([named(summed, "y")], [x], "channel_sum")


def tens() -> ov.Model:
    """`x` [1,1,45] -> `y` [4]: the greatest of each full ten, plus 100; takes lengths from 40 to 49 and no others."""
    x = parameter("x", [1, 1, 45])
    greatest = ops.max_pool(x, [10], [1], [0], [0], [10]).output(0)
    flat = ops.reshape(greatest, ops.constant(np.array([4], np.int64)), special_zero=False)
    hundred = ops.constant(np.full([4], 100, np.float32))
    return ov.Model([named(ops.add(flat, hundred), "y")], [x], "tens")


def running_sum(shape: Shape = (1,), controls: Sequence[str] = ()) -> ov.Model:
    """`x` -> `y`: the sum of all x so far, a variable that begins at 0; `controls` are inputs, each an output too."""
    x = parameter("x", shape)
    before = ops.read_value(ops.constant(np.zeros(shape, np.float32)), "sum", ov.Type.f32, ov.PartialShape(list(shape)))
    total = ops.add(before, x)
    told = [parameter(name, [1], "i64" if name == "corrid" else "f32") for name in controls]
    copies = [
        named(ops.add(node, ops.constant(np.zeros(1, node.get_element_type().to_dtype()))), f"{name}_was")
        for name, node in zip(controls, told, strict=True)
    ]
    return ov.Model([named(total, "y"), *copies], [ops.assign(total, "sum")], [x, *told], "running_sum")
