"""The common form of a ModelInferRequest, read from its bytes; the message class reads every other one.

Through the message class a payload is copied twice: into the message, and out of it. Here it stays where it is.
Source: protobuf's encoding (https://protobuf.dev/programming-guides/encoding) and KServe v2's field numbers.
"""

from typing import NamedTuple

import numpy as np

from ovserve import tensor_bytes
from ovserve.errors import InvalidInput, NotFound
from ovserve.frontends.grpc.request_heads import Input, Ref, read_input, read_output
from ovserve.frontends.grpc.wire_fields import Data, Uncommon, span
from ovserve.frontends.limits import parse_version
from ovserve.frontends.shared_tensors import tensor_at
from ovserve.requests import InferRequest
from ovserve.shared_memory import SharedMemory, Window
from ovserve.tensors import Array, DType, Shape, Tensor

# Tags of one byte each: a field's number, and 2 for that a length and so many bytes follow.
_MODEL_NAME, _MODEL_VERSION, _ID = 0x0A, 0x12, 0x1A
_INPUTS, _OUTPUTS, _RAW = 0x2A, 0x32, 0x3A

_REMEMBERED_LAYOUTS = 1024
_REMEMBERED_GAPS_BYTES = 2048

_Span = tuple[int, int]

_UNREADABLE = (Uncommon, IndexError, UnicodeDecodeError, InvalidInput, NotFound)


class _Place(NamedTuple):
    """A tensor, and where its contents lie: in the request, or by `ref` in shared memory."""

    name: str
    dtype: DType
    shape: Shape
    begin: int
    end: int
    ref: Ref | None


class Layout(NamedTuple):
    """All that a request says but its id and the contents of its tensors; `gaps` are its bytes beside those.

    Each with where it lies; `rooms` are the outputs that shall go into shared memory. Clients send the same gaps again
    and again.
    """

    model: str
    version: int | None
    outputs: frozenset[str] | None
    rooms: list[tuple[str, Ref]]
    id: _Span
    places: list[_Place]
    gaps: list[tuple[int, int, bytes]]

    def is_of(self, data: Data) -> bool:
        """Tell whether a request of the same length has it too."""
        for begin, end, gap in self.gaps:  # noqa: SIM110 - a generator would cost more than all else here
            if bytes(data[begin:end]) != gap:
                return False
        return True

    @property
    def names(self) -> list[str]:
        """The inputs that the request has."""
        return [place.name for place in self.places]

    @property
    def is_worth_remembering(self) -> bool:
        return sum(len(gap) for *_, gap in self.gaps) <= _REMEMBERED_GAPS_BYTES

    def request(self, data: Data, memory: SharedMemory) -> InferRequest:
        inputs = {place.name: _tensor(data, place, memory) for place in self.places}
        begin, end = self.id
        request_id = bytes(data[begin:end]).decode() if begin < end else ""
        request = InferRequest(self.model, inputs, self.version, self.outputs, request_id, borrows=True)
        if not self.rooms:
            return request
        return request._replace(places={name: _window(memory, room) for name, room in self.rooms})


_layouts: dict[tuple[int, bytes], Layout] = {}


def read(data: Data, memory: SharedMemory) -> InferRequest | None:
    """Read names, version, id, outputs by name, inputs with raw contents; outputs and inputs in shared memory too.

    None for a request with anything else.

    Nor does it refuse anything: None is for what is wrong too, so that one place says what that is. Numbers are views
    on `data`, copied only where they lie so that their type could not be read in place.
    """
    try:
        return _known_layout(data).request(data, memory)
    except _UNREADABLE:
        return None


def layout(data: Data) -> Layout | None:
    """Read all but the id and the contents; None where `read` has none, unless it is only these that are wrong."""
    try:
        return _known_layout(data)
    except _UNREADABLE:
        return None


def _known_layout(data: Data) -> Layout:
    key = len(data), bytes(data[: data[1] + 2])  # mostly the model's name
    known = _layouts.get(key)
    if known is None or not known.is_of(data):
        known = _layout(data)
        if known.is_worth_remembering:
            _remember(key, known)
    return known


def _remember(key: tuple[int, bytes], layout: Layout) -> None:
    if len(_layouts) >= _REMEMBERED_LAYOUTS:
        _layouts.clear()
    _layouts[key] = layout


def _layout(data: Data) -> Layout:
    texts = {_MODEL_NAME: "", _MODEL_VERSION: ""}
    request_id: _Span | None = None
    heads: list[Input] = []
    contents: list[_Span] = []
    between: list[_Span] = []  # the gaps: the id and the contents, in their order
    outputs: list[tuple[str, Ref | None]] = []
    at, end = 0, len(data)
    while at < end:
        tag = data[at]
        begin, at = span(data, at + 1, end)
        if tag == _RAW:
            contents.append((begin, at))
            between.append((begin, at))
        elif tag == _INPUTS:
            heads.append(read_input(bytes(data[begin:at])))
        elif tag == _ID and request_id is None:
            request_id = begin, at
            between.append(request_id)
        elif tag in texts:
            texts[tag] = bytes(data[begin:at]).decode()
        elif tag == _OUTPUTS:
            outputs.append(read_output(bytes(data[begin:at])))
        else:
            raise Uncommon
    model = texts[_MODEL_NAME]
    version = parse_version(texts[_MODEL_VERSION], model)
    places = _places(heads, contents)
    names = frozenset(name for name, _ in outputs)
    rooms = [(name, ref) for name, ref in outputs if ref is not None]
    if rooms and len(names) < len(outputs):
        raise Uncommon
    return Layout(model, version, names or None, rooms, request_id or (0, 0), places, _gaps(data, between))


def _places(heads: list[Input], contents: list[_Span]) -> list[_Place]:
    sent = sum(head.ref is None for head in heads)
    if sent != len(contents) or len({head.name for head in heads}) != len(heads):
        raise Uncommon
    spans = iter(contents)
    places = []
    for name, dtype, shape, elements, ref in heads:
        begin, end = next(spans) if ref is None else (0, ref.byte_size)
        if dtype is not DType.BYTES and end - begin != elements * dtype.numpy.itemsize:
            raise Uncommon
        places.append(_Place(name, dtype, shape, begin, end, ref))
    return places


def _gaps(data: Data, between: list[_Span]) -> list[tuple[int, int, bytes]]:
    ends = [0, *(end for _, end in between)]
    begins = [*(begin for begin, _ in between), len(data)]
    return [(end, begin, bytes(data[end:begin])) for end, begin in zip(ends, begins, strict=True) if end < begin]


def _tensor(data: Data, place: _Place, memory: SharedMemory) -> Tensor:
    name, dtype, shape, begin, end, ref = place
    if ref is not None:
        return tensor_at(_window(memory, ref), dtype, shape, name)
    if dtype is DType.BYTES:
        return Tensor(dtype, tensor_bytes.read(memoryview(data)[begin:end], dtype, shape, name))
    array: Array = np.ndarray(shape, dtype.numpy, data, begin)
    # Compiled code may take for granted that numbers lie straight.
    return Tensor(dtype, array if array.flags.aligned else array.copy())


def _window(memory: SharedMemory, ref: Ref) -> Window:
    return memory.window(ref.region, ref.offset, ref.byte_size, "")
