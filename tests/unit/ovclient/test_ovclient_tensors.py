"""What goes over the wire comes back bit for bit."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tritonclient.grpc import service_pb2 as pb

from ovclient import InvalidRequest
from ovclient._datatypes import DATATYPES
from ovclient._decode import decode_all
from ovclient._encode import encode

SHAPES = hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4)
NUMERIC = [name for name in DATATYPES if name not in ("BYTES", "BF16")]


def round_trip(array: np.ndarray) -> np.ndarray:
    datatype, shape, raw = encode("x", array)
    tensor = pb.ModelInferResponse.InferOutputTensor(name="x", datatype=datatype, shape=shape)
    return decode_all([tensor], [raw])["x"]


def typed(datatype: str, shape: list[int], **contents: list[object]) -> np.ndarray:
    tensor = pb.ModelInferResponse.InferOutputTensor(name="x", datatype=datatype, shape=shape)
    tensor.contents.MergeFrom(pb.InferTensorContents(**contents))
    return decode_all([tensor], [])["x"]


@pytest.mark.parametrize("name", NUMERIC)
@given(data=st.data())
def test_numbers_of_every_datatype_and_rank(name: str, data: st.DataObject) -> None:
    dtype = DATATYPES[name].numpy
    assert dtype is not None
    array = data.draw(hnp.arrays(dtype, SHAPES))
    back = round_trip(array)
    assert (back.dtype, back.shape, back.tobytes()) == (array.dtype, array.shape, array.tobytes())
    assert encode("x", array)[0] == name


@given(hnp.arrays(np.uint16, SHAPES))
def test_bf16(bits: np.ndarray) -> None:
    array = bits.view(ml_dtypes.bfloat16)
    back = round_trip(array)
    assert (back.dtype, back.shape, back.tobytes()) == (array.dtype, array.shape, array.tobytes())


@given(SHAPES, st.data())
def test_bytes_are_exact_and_texts_are_utf8(shape: tuple[int, ...], data: st.DataObject) -> None:
    item = st.binary() | st.text()
    count = int(np.prod(shape))
    items = data.draw(st.lists(item, min_size=count, max_size=count))
    array = np.empty(count, object)
    array[:] = items
    back = round_trip(array.reshape(shape))
    assert back.shape == shape
    assert back.ravel().tolist() == [i.encode() if isinstance(i, str) else i for i in items]


@pytest.mark.parametrize("value", [[b"a\0", b"\0\0"], ["ä\0", "b"], b"\0", "x\0"])
def test_python_strings_keep_their_trailing_nuls(value: object) -> None:
    items = value if isinstance(value, list) else [value]
    back = round_trip(value)  # type: ignore[arg-type]
    assert back.ravel().tolist() == [i.encode() if isinstance(i, str) else i for i in items]


def test_big_endian_and_strided_arrays_are_sent_in_order() -> None:
    array = np.arange(12, dtype=">i4").reshape(3, 4).T[::2]
    assert round_trip(array).tolist() == array.tolist()


def test_python_numbers_are_sent_as_numpy_reads_them_never_cast() -> None:
    assert encode("x", [1, 2])[:2] == ("INT64", [2])
    assert encode("x", 1.5)[:2] == ("FP64", [])
    assert encode("x", True)[:2] == ("BOOL", [])


@pytest.mark.parametrize("value", [np.zeros(2, complex), np.zeros(2, "M8[s]"), np.zeros(2, np.longdouble)])
def test_what_kserve_cannot_carry_is_refused_by_name(value: np.ndarray) -> None:
    with pytest.raises(InvalidRequest, match=f"input 'x': arrays of {value.dtype.name}".replace("[", r"\[")):
        encode("x", value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([[1], [1, 2]], "input 'x': no array can be made of it"),
        (["a", 1], "input 'x': BYTES elements are bytes or str, got int"),
        (np.array([None]), "BYTES elements are bytes or str, got NoneType"),
        ("\ud800", "input 'x': a text is no valid Unicode"),
    ],
)
def test_what_is_no_tensor_is_refused_by_name(value: object, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        encode("x", value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("datatype", "contents", "expected"),
    [
        ("BOOL", {"bool_contents": [True, False]}, [True, False]),
        ("INT8", {"int_contents": [-128, 127]}, [-128, 127]),
        ("INT64", {"int64_contents": [-(2**63), 2**63 - 1]}, [-(2**63), 2**63 - 1]),
        ("UINT8", {"uint_contents": [0, 255]}, [0, 255]),
        ("UINT64", {"uint64_contents": [0, 2**64 - 1]}, [0, 2**64 - 1]),
        ("FP32", {"fp32_contents": [0.5, -2]}, [0.5, -2]),
        ("FP64", {"fp64_contents": [0.1, -2]}, [0.1, -2]),
        ("BYTES", {"bytes_contents": [b"\0", b""]}, [b"\0", b""]),
    ],
)
def test_typed_contents_are_read_too(datatype: str, contents: dict[str, list[object]], expected: list[object]) -> None:
    assert typed(datatype, [2], **contents).tolist() == expected


def test_a_zero_sized_tensor_may_come_without_contents() -> None:
    assert typed("FP16", [0, 4]).shape == (0, 4)
