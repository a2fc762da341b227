"""What a model's image input wants, read from its metadata. Pure."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ovclient._datatypes import DATATYPES, numpy_dtype
from ovclient._types import ModelMetadata, TensorMetadata

Layout = Literal["NCHW", "NHWC"]
_COLOURS = (1, 3)
_RANK = 4


@dataclass(frozen=True, slots=True)
class ImageInput:
    """An input of pictures; batch, height and width are None where the model takes any."""

    name: str
    datatype: str
    layout: Layout
    channels: int
    batch: int | None
    height: int | None
    width: int | None

    @classmethod
    def of(cls, tensor: TensorMetadata, *, demultiplexed: bool = False) -> "ImageInput | None":
        """`tensor` as an image input, or None if it is none; `demultiplexed` allows a 1 after the batch."""
        shape = tensor.shape
        if demultiplexed and len(shape) == _RANK + 1 and shape[1] in (1, -1):
            shape = (shape[0], *shape[2:])
        layout = layout_of(shape)
        if layout is None or tensor.datatype == "BYTES" or tensor.datatype not in DATATYPES:
            return None
        channels, height, width = shape[1:] if layout == "NCHW" else (shape[3], *shape[1:3])
        sizes = _size(shape[0]), _size(height), _size(width)
        return cls(tensor.name, tensor.datatype, layout, _size(channels) or _COLOURS[-1], *sizes)

    def arrange(self, pictures: np.ndarray) -> np.ndarray:
        """Pictures [n, height, width, channels] in this input's layout."""
        return pictures.transpose(0, 3, 1, 2) if self.layout == "NCHW" else pictures

    def cast(self, pictures: np.ndarray) -> np.ndarray:
        """Pictures in this input's datatype; whole numbers are rounded and kept in their range."""
        return cast(pictures, self.datatype)


def cast(values: np.ndarray, datatype: str) -> np.ndarray:
    """Numbers in KServe's `datatype`; into whole numbers they are rounded and kept in range."""
    dtype = numpy_dtype(datatype)
    if dtype.kind in "iu" and values.dtype.kind == "f":
        limits = np.iinfo(dtype)  # type: ignore[type-var] # of whole numbers, as its kind says
        values = np.clip(np.rint(values), limits.min, limits.max)
    return np.ascontiguousarray(values, dtype=dtype)


def layout_of(shape: tuple[int, ...]) -> Layout | None:
    """The layout of a 4-D shape, told by where its 1 or 3 colours stand; None if it is no picture's."""
    if len(shape) != _RANK:
        return None
    if shape[1] in _COLOURS:
        return "NCHW"
    if shape[3] in _COLOURS:
        return "NHWC"
    return "NCHW" if shape[1] < 0 else "NHWC" if shape[3] < 0 else None


def find(metadata: ModelMetadata, *, demultiplexed: bool = False) -> ImageInput | None:
    """The first image input of a model."""
    found = (ImageInput.of(tensor, demultiplexed=demultiplexed) for tensor in metadata.inputs)
    return next((image for image in found if image is not None), None)


def _size(dimension: int) -> int | None:
    return dimension if dimension > 0 else None
