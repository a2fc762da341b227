"""Arrays to ask a model with, made from its metadata. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from ovclient._base import DEFAULT_MAX_MESSAGE_BYTES
from ovclient._datatypes import DATATYPES, numpy_dtype
from ovclient._types import ModelMetadata, TensorMetadata

_SEED = 0
_WORD_LENGTH = 8

Shape = tuple[int, ...]
T = TypeVar("T")


class BadInputs(ValueError):
    """No request can be made for this model; says which input, what it expects and what it got."""


def parse_shape(text: str) -> tuple[str | None, Shape]:
    """`name:1,3,300,300`, or without a name for a model of one input; a name may hold colons itself."""
    name, colon, dimensions = text.rpartition(":")
    try:
        shape = tuple(int(dimension) for dimension in dimensions.split(","))
    except ValueError:
        shape = ()
    if not shape or min(shape) < 1 or (colon and not name):
        raise ValueError(f"'{text}' is no shape such as 1,3,300,300 or name:1,3,300,300")
    return name or None, shape


def compose(
    model: ModelMetadata,
    files: Iterable[tuple[str | None, np.ndarray]],
    shapes: Iterable[tuple[str | None, Shape]],
    batch: int,
) -> dict[str, np.ndarray]:
    """An array for each input, in the model's order: the one given for it, else random values in its shape."""
    given, wanted = _assign(model, files, "--input"), _assign(model, shapes, "--shape")
    if both := sorted(given.keys() & wanted.keys()):
        raise BadInputs(f"input '{both[0]}' was given both --input and --shape: its file has the shape")
    rest = [tensor for tensor in model.inputs if tensor.name not in given]
    made = generate(settle(model.name, rest, wanted, batch))
    return {tensor.name: (given if tensor.name in given else made)[tensor.name] for tensor in model.inputs}


def settle(
    model: str, inputs: Sequence[TensorMetadata], shapes: Mapping[str, Shape], batch: int
) -> tuple[TensorMetadata, ...]:
    """The inputs without open dimensions: a first one of -1 becomes `batch`, any other 1; `shapes` go before."""
    free = [tensor for tensor in inputs if tensor.name not in shapes]
    if batch > 1 and free and not any(tensor.shape[:1] == (-1,) for tensor in free):
        told = ", ".join(f"'{tensor.name}' {list(tensor.shape)}" for tensor in free)
        raise BadInputs(f"model '{model}' has no first dimension of -1 to hold a batch of {batch}: {told}")
    return tuple(replace(tensor, shape=shapes.get(tensor.name) or _closed(tensor.shape, batch)) for tensor in inputs)


def generate(tensors: Sequence[TensorMetadata]) -> dict[str, np.ndarray]:
    """Random arrays, the same in every run: floats in 0..1, UINT8 in 0..255, other integers 0 or 1, short words."""
    chance = np.random.default_rng(_SEED)
    return {tensor.name: _random(tensor, chance) for tensor in tensors}


def _assign(model: ModelMetadata, values: Iterable[tuple[str | None, T]], flag: str) -> dict[str, T]:
    """What a flag gave, by input name; a value without a name belongs to the only input."""
    names = [tensor.name for tensor in model.inputs]
    assigned: dict[str, T] = {}
    for given, value in values:
        if given is None and len(names) != 1:
            raise BadInputs(f"model '{model.name}' has {len(names)} inputs {names}: {flag} must name one")
        name = names[0] if given is None else given
        if name not in names:
            raise BadInputs(f"model '{model.name}' has no input '{name}', only {names}")
        if name in assigned:
            raise BadInputs(f"{flag} was given twice for input '{name}'")
        assigned[name] = value
    return assigned


def _closed(shape: Sequence[int], batch: int) -> Shape:
    return tuple((1 if axis else batch) if size < 0 else size for axis, size in enumerate(shape))


def _random(tensor: TensorMetadata, chance: np.random.Generator) -> np.ndarray:
    if tensor.datatype not in DATATYPES:
        raise BadInputs(f"input '{tensor.name}' has datatype '{tensor.datatype}', which KServe does not know")
    dtype = numpy_dtype(tensor.datatype)
    size = math.prod(tensor.shape) * (4 + _WORD_LENGTH if dtype.kind == "O" else dtype.itemsize)  # Python integers
    if size > DEFAULT_MAX_MESSAGE_BYTES:
        raise BadInputs(f"input '{tensor.name}' {list(tensor.shape)} takes {size} bytes: more than a message may hold")
    if dtype.kind == "O":
        return _words(tensor.shape, chance)
    if dtype.kind in "biu":  # 0 and 1 are token ids, masks and indices that every model takes
        return chance.integers(0, 256 if tensor.datatype == "UINT8" else 2, tensor.shape).astype(dtype)
    return chance.random(tensor.shape, np.float32).astype(dtype)


def _words(shape: Shape, chance: np.random.Generator) -> np.ndarray:
    letters = chance.integers(ord("a"), ord("z") + 1, (math.prod(shape), _WORD_LENGTH), np.uint8)
    return letters.view(f"S{_WORD_LENGTH}").astype(object).reshape(shape)
