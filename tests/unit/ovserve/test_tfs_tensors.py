"""TensorProto: every datatype in every field that may carry it."""

import numpy as np
import pytest

from ovserve.errors import InvalidInput, WrongContent, WrongDatatype, WrongShape
from ovserve.frontends.tfs import tensors
from ovserve.frontends.tfs.messages import DATA_TYPE, TensorProto
from ovserve.frontends.tfs.tensors import FIELD
from ovserve.tensors import DType, Tensor

LABEL = "model 'm': input 'x'"
EXTREMES = {
    DType.BOOL: [True, False],
    DType.FP16: np.array([1.5, -np.inf, np.nan], np.float16).view(np.uint16).tolist(),
    DType.BF16: [0x3F80, 0xFF80, 0x7FC1],
    DType.FP32: [1.5, float("-inf")],
    DType.FP64: [1e300, -0.0],
    DType.BYTES: [b"one", b"", b"\x00\xff"],
}


def values(dtype: DType) -> list:
    if dtype in EXTREMES:
        return EXTREMES[dtype]
    limits = np.iinfo(dtype.numpy)
    return [int(limits.min), int(limits.max), 1]


def proto(dtype: str, shape: list[int], **fields: object) -> object:
    message = TensorProto(dtype=DATA_TYPE.values_by_name[dtype].number, **fields)
    message.tensor_shape.SetInParent()
    for length in shape:
        message.tensor_shape.dim.add(size=length)
    return message


def array(dtype: DType) -> np.ndarray:
    if dtype is DType.BYTES:
        strings = np.empty(3, object)
        strings[:] = EXTREMES[dtype]
        return strings
    if dtype in {DType.FP16, DType.BF16}:
        return np.array(values(dtype), np.uint16).view(dtype.numpy)
    return np.array(values(dtype), dtype.numpy)


@pytest.mark.parametrize("dtype", DType)
def test_each_datatype_is_read_from_its_own_field(dtype: DType) -> None:
    message = proto(dtype.tensorflow, [len(values(dtype))], **{FIELD[dtype]: values(dtype)})
    read = tensors.decode(message, LABEL)
    assert read.dtype is dtype
    assert read.data.dtype == dtype.numpy
    assert read.data.tobytes() == array(dtype).tobytes() or read.data.tolist() == array(dtype).tolist()


@pytest.mark.parametrize("dtype", [dtype for dtype in DType if dtype is not DType.BYTES])
def test_each_number_is_read_from_tensor_content(dtype: DType) -> None:
    expected = array(dtype)
    read = tensors.decode(proto(dtype.tensorflow, [1, expected.size], tensor_content=expected.tobytes()), LABEL)
    assert read.shape == (1, expected.size)
    assert read.data.tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", DType)
def test_what_is_written_is_read_again(dtype: DType) -> None:
    message = TensorProto()
    tensors.encode(Tensor(dtype, array(dtype).reshape(1, -1)), message)
    read = tensors.decode(message, LABEL)
    assert read.dtype is dtype
    assert read.shape == (1, array(dtype).size)
    assert read.data.tolist() == array(dtype).reshape(1, -1).tolist() or read.data.tobytes() == array(dtype).tobytes()


def test_a_signalling_nan_keeps_its_bits() -> None:
    bits = np.array([0x7FA00001, 0x3F800000], np.uint32)
    message = TensorProto.FromString(
        proto("DT_FLOAT", [2]).SerializeToString() + b"\x2a\x08" + bits.tobytes()  # float_val, 8 bytes
    )
    assert tensors.decode(message, LABEL).data.view(np.uint32).tolist() == bits.tolist()


def test_a_scalar_has_no_dimensions() -> None:
    assert tensors.decode(proto("DT_FLOAT", [], float_val=[2.5]), LABEL).data == np.float32(2.5)


def test_one_value_stands_for_all() -> None:
    read = tensors.decode(proto("DT_FLOAT", [2, 3], float_val=[2.5]), LABEL)
    assert read.data.tolist() == [[2.5] * 3] * 2


def test_the_last_value_stands_for_those_that_are_missing() -> None:
    assert tensors.decode(proto("DT_INT64", [4], int64_val=[1, 2]), LABEL).data.tolist() == [1, 2, 2, 2]
    assert tensors.decode(proto("DT_STRING", [3], string_val=[b"a", b"b"]), LABEL).data.tolist() == [b"a", b"b", b"b"]


def test_no_elements_need_no_values() -> None:
    assert tensors.decode(proto("DT_FLOAT", [0, 3]), LABEL).shape == (0, 3)
    assert tensors.decode(proto("DT_STRING", [0]), LABEL).shape == (0,)


@pytest.mark.parametrize(
    ("message", "error", "sentence"),
    [
        (proto("DT_COMPLEX64", [1]), WrongDatatype, "datatype DT_COMPLEX64, expected one of DT_BOOL"),
        (TensorProto(dtype=77), WrongDatatype, "datatype 77, expected one of"),
        (TensorProto(), WrongDatatype, "datatype DT_INVALID, expected one of"),
        (
            proto("DT_FLOAT", [2]),
            WrongContent,
            r"shape \[2\] expects 2 values .* float_val, got 0 \(it has no data at all",
        ),
        (proto("DT_FLOAT", [2], float_val=[1, 2, 3]), WrongContent, "expects 2 values .* got 3"),
        (proto("DT_FLOAT", [2], double_val=[1, 2]), WrongContent, "DT_FLOAT, expected float_val, got double_val"),
        (proto("DT_FLOAT", [1], tensor_content=b"1234", float_val=[1]), WrongContent, "expected tensor_content only"),
        (proto("DT_FLOAT", [2], tensor_content=b"1234"), WrongContent, "expects 8 bytes, got 4"),
        (proto("DT_STRING", [1], tensor_content=b"1234"), WrongContent, "expected them in string_val"),
        (proto("DT_UINT8", [1], int_val=[256]), WrongContent, "DT_UINT8, expected values 0 to 255 in int_val"),
        (proto("DT_HALF", [1], half_val=[-1]), WrongContent, "DT_HALF, expected values 0 to 65535 in half_val"),
        (proto("DT_FLOAT", [-1], float_val=[1]), WrongShape, "every dimension to be 0 or more"),
        (proto("DT_FLOAT", [1] * 33, float_val=[1]), WrongShape, "33 dimensions, expected at most 32"),
        (proto("DT_FLOAT", [2**62 + 2, 4], float_val=[1]), WrongShape, "at most 2147483648 bytes"),
        (proto("DT_FLOAT", [2**26], float_val=[1]), WrongShape, "repeats its last value: expected at most 67108864"),
        (proto("DT_FLOAT", [0, 2**40]), WrongShape, "bytes in all beside the zero"),
    ],
)
def test_what_does_not_fit_is_told_with_expected_and_got(
    message: object, error: type[InvalidInput], sentence: str
) -> None:
    with pytest.raises(error, match=sentence) as caught:
        tensors.decode(message, LABEL)
    assert str(caught.value).startswith(LABEL)


def test_a_shape_of_unknown_rank_is_none() -> None:
    message = proto("DT_FLOAT", [], float_val=[1])
    message.tensor_shape.unknown_rank = True
    with pytest.raises(WrongShape, match="unknown rank"):
        tensors.decode(message, LABEL)
