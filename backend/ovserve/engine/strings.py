"""String tensors as the bytes they are.

OpenVINO's Python tensors hand strings out as fixed-width numpy text, which loses trailing NULs. So a string input is
fed through StringTensorPack (where each string begins and ends, and all characters in a row), and a string output is
read through StringTensorUnpack: exact for any bytes.

That operation must never meet zero strings: it would fail, or leave what an earlier request had in its outputs (seen
in OpenVINO 2026.4). So one string more than there are goes through it, and is cut off behind it.
"""

import numpy as np
import openvino as ov
from openvino import opset15

from ovserve.errors import InferenceFailed
from ovserve.tensors import Array, Shape

_MOST_CHARACTERS = np.iinfo(np.int32).max

Parts = tuple[Array, Array, Array]


def unpack_string_ports(model: ov.Model) -> ov.Model:
    """Replace each string port of `model`, in place, by three: begins and ends (i32), and characters (u8).

    The order of the ports stays.
    """
    for node in model.get_ordered_ops():
        if node.get_type_name() == "StringTensorUnpack":
            _replace(node)
    parameters = [_packed(node) for node in model.get_parameters()]
    results = [_unpacked(node) for node in model.get_results()]
    return ov.Model(_flat(results), model.get_sinks(), _flat(parameters), model.get_friendly_name())


def _packed(parameter: ov.Node) -> list[ov.Node]:
    if parameter.get_element_type() != ov.Type.string:
        return [parameter]
    shape = parameter.get_partial_shape()
    parts = [
        opset15.parameter(shape, ov.Type.i32),
        opset15.parameter(shape, ov.Type.i32),
        opset15.parameter([-1], ov.Type.u8),
    ]
    parameter.output(0).replace(opset15.string_tensor_pack(*parts).output(0))
    return parts


def _unpacked(result: ov.Node) -> list[ov.Node]:
    source = result.input_value(0)
    if source.get_element_type() != ov.Type.string:
        return [result]
    return [opset15.result(output) for output in _unpack_any_number(source)]


def _replace(unpack: ov.Node) -> None:
    for old, new in zip(unpack.outputs(), _unpack_any_number(unpack.input_value(0)), strict=True):
        old.replace(new)


def _unpack_any_number(source: ov.Output) -> list[ov.Output]:
    """Unpack a string tensor that may be empty, with one string more on the way."""
    flat = opset15.reshape(source, _integers(-1), special_zero=False)
    one_more = ov.op.Constant(ov.Tensor(np.array([""])))
    begins, ends, characters = opset15.string_tensor_unpack(opset15.concat([flat, one_more], 0)).outputs()
    shape = opset15.shape_of(source)
    cut = [opset15.slice(part, _integers(0), _integers(-1), _integers(1)) for part in (begins, ends)]
    return [*(opset15.reshape(part, shape, special_zero=False).output(0) for part in cut), characters]


def _integers(*values: int) -> ov.Node:
    return opset15.constant(np.array(values, np.int64))


def _flat(groups: list[list[ov.Node]]) -> list[ov.Node]:
    return [node for group in groups for node in group]


def pack(strings: Array) -> Parts:
    """Split an object array of `bytes` into begins, ends (both of its shape) and characters."""
    flat = strings.ravel()
    lengths = np.fromiter(map(len, flat), np.int64, flat.size)
    ends = np.cumsum(lengths)
    if flat.size and ends[-1] > _MOST_CHARACTERS:
        raise InferenceFailed(f"{ends[-1]} bytes of strings are more than OpenVINO takes, {_MOST_CHARACTERS}")
    shaped = [part.astype(np.int32).reshape(strings.shape) for part in (ends - lengths, ends)]
    return shaped[0], shaped[1], np.frombuffer(b"".join(flat), np.uint8)


def unpack(begins: Array, ends: Array, characters: Array) -> Array:
    """Join what `pack` split."""
    joined = characters.tobytes()
    shape: Shape = begins.shape
    strings = np.empty(begins.size, np.object_)
    for index, (begin, end) in enumerate(zip(begins.ravel().tolist(), ends.ravel().tolist(), strict=True)):
        strings[index] = joined[begin:end]
    return strings.reshape(shape)
