"""The bytes of a request, read with the message class and without it: both read the same."""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2 as pb

import mutated_places
from barrage import mutated
from mutated_places import ON_PLACES
from mutated_requests import ON_FIELDS, seeds
from ovserve.errors import InvalidInput, NotFound
from ovserve.frontends.grpc import codec, request_bytes
from ovserve.requests import InferRequest
from ovserve.shared_memory import Region, SharedMemory
from shared_objects import place
from tries import tries
from wire_server import request, texts

MEMORY = SharedMemory(is_open=True)


@pytest.fixture(autouse=True, scope="module")
def region() -> Iterator[None]:
    path = Path("/dev/shm") / f"ovserve_test_{uuid4().hex}"  # noqa: S108 - that is where it lies
    path.write_bytes(mutated_places.CONTENT)
    MEMORY.register("r", path.name, 0, len(mutated_places.CONTENT))
    path.unlink()
    yield
    MEMORY.unregister()


def by_message(data: bytes) -> InferRequest | None:
    try:
        return codec.decode(pb.ModelInferRequest.FromString(data), MEMORY)
    except (DecodeError, InvalidInput, NotFound):
        return None


def assert_both_agree(data: bytes) -> bool:
    """Tell whether the bytes alone were enough."""
    found = request_bytes.read(data, MEMORY)
    if found is None:
        return False
    expected = by_message(data)
    assert expected is not None, "only the message class may refuse, and it does"
    assert_same(found, expected)
    for again in (data, memoryview(bytearray(data))):
        read_again = request_bytes.read(again, MEMORY)
        assert read_again is not None
        assert_same(read_again, expected)
    return True


def assert_same(found: InferRequest, expected: InferRequest) -> None:
    for field in (
        "model",
        "version",
        "outputs",
        "id",
        "classification",
        "parameters",
        "sequence",
        "timeout_us",
        "places",
    ):
        assert getattr(found, field) == getattr(expected, field)
    assert list(found.inputs) == list(expected.inputs)
    for name, tensor in expected.inputs.items():
        assert found.inputs[name].dtype is tensor.dtype
        assert found.inputs[name].shape == tensor.shape
        assert found.inputs[name].data.tobytes() == tensor.data.tobytes() or tensor.data.dtype == object
        if tensor.data.dtype == object:
            assert found.inputs[name].data.tolist() == tensor.data.tolist()


def test_they_agree_on_damaged_requests() -> None:
    read = [assert_both_agree(data) for data in mutated(seeds(), ON_FIELDS, seed=28, count=20_000)]
    assert 1000 < sum(read) < 19_000


def test_they_agree_on_damaged_requests_in_shared_memory() -> None:
    damaged = mutated(mutated_places.seeds(), ON_PLACES, seed=19, count=20_000)
    read = [assert_both_agree(data) for data in damaged]
    assert 1000 < sum(read) < 19_000


def varint(number: int, longer: int) -> bytes:
    """A number, in up to `longer` bytes more than it needs."""
    digits = []
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    if longer:
        return bytes([*digits, number | 0x80, *[0x80] * (longer - 1), 0])
    return bytes([*digits, number])


@st.composite
def fields(draw: st.DrawFn, contents: dict[int, st.SearchStrategy[bytes]]) -> bytes:
    """Fields in any order, any number of times, of the number given, lengths sometimes longer than they need be."""
    parts = []
    for _ in range(draw(st.integers(0, 6))):
        number = draw(st.sampled_from(sorted(contents)))
        content = draw(contents[number])
        length = len(content) if draw(st.integers(0, 30)) else draw(st.integers(0, 300))
        parts += [bytes([number << 3 | 2]), varint(length, draw(st.sampled_from([0, 0, 0, 1, 3, 9]))), content]
    return b"".join(parts)


def parameters() -> st.SearchStrategy[bytes]:
    """Entries of a map: a key and a value in any order, any number of times, the value of any form."""
    keys = st.sampled_from(
        [b"shared_memory_region", b"shared_memory_byte_size", b"shared_memory_offset", b"other", b""]
    )
    texts_of_a_value = st.sampled_from([b"r", b"other", b"", b"\xff"]).map(
        lambda text: b"\x1a" + varint(len(text), 0) + text
    )
    numbers_of_a_value = st.builds(
        lambda tag, number, longer: tag + varint(number, longer),
        st.sampled_from([b"\x10", b"\x10", b"\x10", b"\x08", b"\x28"]),
        st.sampled_from([0, 1, 4, 8, 16, 2**31 - 1, 2**31, 2**63, 2**64 - 1]),
        st.sampled_from([0, 0, 1, 4]),
    )
    return fields({1: keys, 2: st.one_of(texts_of_a_value, numbers_of_a_value, st.just(b""))})


WORDS = st.sampled_from([b"", b"x", b"y", b"1", b"\xc3\xa4", b"\xff", b"\xed\xa0\x80", b"\0", b"\xf4\x90\x80\x80"])
DATATYPES = st.sampled_from([b"FP32", b"UINT8", b"BYTES", b"INT64", b"FP8", b""])
NUMBERS = st.sampled_from([0, 1, 2, 3, 2**31 - 1, 2**31, 2**35, 2**63, 2**64 - 1])
SHAPES = st.lists(st.builds(varint, NUMBERS, st.sampled_from([0, 0, 1, 4])), max_size=3).map(b"".join)
RAW = st.sampled_from([b"", b"\1", b"\0\0\0\0", b"\1\0\0\0x", b"1234", b"12345678", b"\1\0\0\0x\0\0\0\0"])
INPUT = fields({1: WORDS, 2: DATATYPES, 3: SHAPES, 4: parameters()})
OUTPUT = fields({1: WORDS, 2: parameters()})
REQUEST = fields({1: WORDS, 2: WORDS, 3: WORDS, 4: WORDS, 5: INPUT, 6: OUTPUT, 7: RAW, 9: WORDS})


@given(REQUEST)
@settings(max_examples=tries(3000), deadline=None)
def test_they_agree_on_fields_in_any_order(data: bytes) -> None:
    assert_both_agree(data)


@given(st.binary(max_size=60))
@settings(max_examples=tries(1000), deadline=None)
def test_they_agree_on_bytes_of_any_kind(data: bytes) -> None:
    assert_both_agree(data)


@pytest.mark.parametrize("pieces", range(1, 40))
def test_a_request_that_was_cut_is_left_to_the_message_class(pieces: int) -> None:
    data = request("dyn", {"a": np.ones((1, 4), np.float32)}).SerializeToString()
    assert request_bytes.read(data[: -len(data) * pieces // 40], MEMORY) is None or assert_both_agree(data)


def test_the_common_form_is_read_from_its_bytes() -> None:
    asked = request("m", {"x": np.ones((2, 3), np.int32), "t": texts(b"a", b"")}, id="7", model_version="2")
    asked.outputs.add(name="y")
    assert assert_both_agree(asked.SerializeToString())


def test_numbers_stay_where_they_are_but_where_they_lie_askew() -> None:
    for length in range(8):
        data = request("m" * length, {"x": np.arange(100_000, dtype=np.float32)}).SerializeToString()
        found = request_bytes.read(data, MEMORY)
        assert found is not None
        array = found.inputs["x"].data
        address = np.frombuffer(data, np.uint8).ctypes.data
        inside = address <= array.ctypes.data < address + len(data)
        assert inside == ((address + len(data) - array.nbytes) % 4 == 0)
        assert array.flags.aligned


@pytest.mark.parametrize(
    "field", ["parameters", "typed", "askew", "both", "twice", "none", "classes", "text", "nothing"]
)
def test_what_is_not_common_is_left_to_the_message_class(field: str) -> None:
    message = request("m", {"x": np.ones(2, np.float32)})
    if field == "parameters":
        message.parameters["priority"].int64_param = 1
    elif field == "typed":
        del message.raw_input_contents[:]
        message.inputs[0].contents.fp32_contents.extend([1, 1])
    elif field == "askew":
        message.raw_input_contents[0] += b"\0"
    elif field == "both":
        place(message.inputs[0], 8)
    elif field == "classes":
        message.outputs.add(name="y").parameters["classification"].int64_param = 1
    elif field == "text":
        message.outputs.add(name="y").parameters["shared_memory_region"].string_param = "r"
        message.outputs[0].parameters["shared_memory_byte_size"].string_param = "8"
    elif field == "nothing":
        place(message.outputs.add(name="y"), 8, region="not registered")
    elif field == "twice":
        message.inputs.add().CopyFrom(message.inputs[0])
        message.raw_input_contents.append(message.raw_input_contents[0])
    else:
        del message.raw_input_contents[:]
    assert request_bytes.read(message.SerializeToString(), MEMORY) is None


@pytest.mark.parametrize("number", range(4))
def test_tensors_in_shared_memory_are_read_from_their_bytes(number: int) -> None:
    assert assert_both_agree(mutated_places.seeds()[number].SerializeToString())


def test_a_region_is_looked_up_for_each_request() -> None:
    data = mutated_places.seeds()[0]
    place(data.inputs[0], 32, region="late")
    assert request_bytes.read(data.SerializeToString(), MEMORY) is None
    MEMORY.add(Region("late", "", 0, 64, os.dup(MEMORY.regions("r")[0].file)))
    assert assert_both_agree(data.SerializeToString())
    MEMORY.unregister("late")
    assert request_bytes.read(data.SerializeToString(), MEMORY) is None


def test_a_request_like_an_earlier_one_has_its_own_contents() -> None:
    for number in range(3):
        asked = request("m", {"x": np.full((1, 10), number, np.float32), "n": np.array([number])})
        assert assert_both_agree(asked.SerializeToString())


@pytest.mark.parametrize("name", ["7", "8", "", "12", "\u00e4", "id" * 200])
def test_a_request_like_an_earlier_one_has_its_own_id(name: str) -> None:
    for version in ("", "2"):
        asked = request("m", {"x": np.ones(3, np.float32)}, id=name, model_version=version)
        assert assert_both_agree(asked.SerializeToString())


def test_an_id_that_is_no_text_is_left_to_the_message_class() -> None:
    data = request("m", {"x": np.ones(3, np.float32)}, id="good").SerializeToString()
    assert assert_both_agree(data)
    assert request_bytes.read(data.replace(b"good", b"\xff\xff\xff\xff"), MEMORY) is None


def test_texts_of_one_length_may_have_other_limits() -> None:
    for each in (texts(b"ab", b""), texts(b"", b"ab"), texts(b"a", b"b")):
        assert assert_both_agree(request("m", {"t": each}).SerializeToString())


@pytest.mark.parametrize("place", range(200))
def test_a_byte_that_differs_beside_the_contents_is_noticed(place: int) -> None:
    inputs = {name * 40: np.arange(3, dtype=np.float32) for name in ("x", "y")}
    data = request("m", inputs).SerializeToString()
    assert assert_both_agree(data)
    for change in (1, 0x20, 0x80):
        changed = bytearray(data)
        changed[place % len(data)] ^= change
        assert_both_agree(bytes(changed))


def test_more_requests_than_are_remembered_are_read_all_the_same() -> None:
    for number in range(3000):
        assert assert_both_agree(request(f"m{number}", {"x": np.ones(1, np.float32)}).SerializeToString())
