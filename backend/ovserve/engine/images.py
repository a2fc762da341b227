"""Decodes pictures into the tensor that a model takes, with OpenCV as OVMS does, so that pixels agree (spec E.6)."""

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from ovserve.engine.picture_header import BadPicture, Size, read_size
from ovserve.engine.picture_input import PictureInput
from ovserve.errors import WrongContent
from ovserve.tensors import Array, DType, Tensor

MAX_BYTES = 1 << 30  # of the tensor that pictures become, as OVMS allows strings

_MOST_CHANNELS = 4
_WHOLE_AT_MOST_BYTES = 24 << 20  # 1920x1080 as FP32; from 32 MB on glibc asks the system for memory each time
_16_BITS = frozenset({DType.UINT16, DType.INT32, DType.FP32, DType.FP64})  # hold all values of 16 bits
_RESIZED_FIRST = frozenset({DType.INT8, DType.INT32})  # OpenCV does not resize these


def decode(
    wanted: PictureInput, encoded: Tensor, label: str, max_pixels: int, pause: Callable[[], None] = lambda: None
) -> Tensor:
    """Decode JPEG and PNG files, an array [n] of `bytes`, into the tensor of `wanted`.

    Colours are BGR, values as they are stored (0..255, of 16-bit PNGs 0..65535) without scaling; transparency stays a
    channel; an EXIF orientation is not applied. Sizes are judged by the files' headers, before anything is decoded.
    `pause` is called between pictures and may raise. Raises `WrongShape` or `WrongContent`, which begin with `label`.
    """
    wanted.check_count(encoded.shape, label)
    files: Sequence[bytes] = encoded.data.tolist()
    sizes = [_size(file, place, wanted, label, max_pixels) for place, file in enumerate(files)]
    if not sizes:
        return _none(wanted, label)
    target = wanted.fit(sizes, label)
    _check_bytes(len(files), target, wanted, label)
    batch = _Batch(wanted, len(files), target)
    for place, (file, size) in enumerate(zip(files, sizes, strict=True)):
        if place:
            pause()
        pixels = _pixels(file, size, place, wanted, label)
        images = batch.make(pixels.shape[2])
        _check_channels(pixels, images.shape[3], place, wanted, label)
        _put(pixels, images[place], wanted.dtype)
    return Tensor(wanted.dtype, batch.arranged)


class _Batch:
    """The tensor that pictures become; made when the first one shows how many channels there are."""

    def __init__(self, wanted: PictureInput, count: int, size: Size) -> None:
        self._wanted = wanted
        self._count = count
        self._size = size
        self._values: Array | None = None

    def make(self, channels: int) -> Array:
        """View it as [n, height, width, channels], in whatever order its values lie; made only once."""
        height, width, channels_first = self._size.height, self._size.width, self._wanted.order == "NCHW"
        if self._values is None:
            shape = (channels, height, width) if channels_first else (height, width, channels)
            self._values = np.empty((self._count, *shape), self._wanted.dtype.numpy)
        return self._values.transpose(0, 2, 3, 1) if channels_first else self._values

    @property
    def arranged(self) -> Array:
        assert self._values is not None  # noqa: S101 - it was made
        return self._values[:, np.newaxis] if self._wanted.between else self._values


def _check_bytes(count: int, target: Size, wanted: PictureInput, label: str) -> None:
    channels = wanted.dim("C").high or _MOST_CHANNELS
    needed = count * target.pixels * channels * wanted.dtype.numpy.itemsize
    if needed > MAX_BYTES:
        raise WrongContent(
            f"{label}: {count} images of {target} pixels would take {needed} bytes as {wanted.dtype.kserve}, "
            f"expected at most {MAX_BYTES}; input name: {wanted.name}"
        )


def _size(file: bytes, place: int, wanted: PictureInput, label: str, max_pixels: int) -> Size:
    try:
        size = read_size(file)
    except BadPicture as error:
        raise _bad(place, wanted, label, str(error)) from error
    if size.pixels > max_pixels:
        raise _bad(place, wanted, label, f"has {size} pixels, expected at most {max_pixels} (--max_image_pixels)")
    return size


def _pixels(file: bytes, size: Size, place: int, wanted: PictureInput, label: str) -> Array:
    """Decode one picture as [height, width, channels]."""
    try:
        pixels = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        pixels = None
    if pixels is None or pixels.shape[:2] != (size.height, size.width):
        raise _bad(place, wanted, label, "cannot be decoded: its data is damaged")
    if pixels.dtype != np.uint8 and wanted.dtype not in _16_BITS:
        raise _bad(place, wanted, label, f"has 16 bits a channel, expected 8 for datatype {wanted.dtype.kserve}")
    return pixels[..., np.newaxis] if pixels.ndim == 2 else pixels  # noqa: PLR2004 - grey comes without a channel


def _check_channels(pixels: Array, first: int, place: int, wanted: PictureInput, label: str) -> None:
    found, dim = pixels.shape[2], wanted.dim("C")
    if dim.admits(found) and found == first:
        return
    expected = f"{first} as the first" if dim.admits(found) else str(dim)
    raise WrongContent(
        f"{label}: Invalid number of channels in binary input - Expected: {expected}; Actual: {found} in image "
        f"{place}; input name: {wanted.name}"
    )


def _put(pixels: Array, into: Array, dtype: DType) -> None:
    """Convert, then resize, as OVMS does; what OpenCV cannot resize in its datatype is resized first."""
    height, width, channels = into.shape
    size = width, height
    wide = np.dtype(np.float32) if dtype is DType.FP16 else dtype.numpy
    if pixels.shape[:2] == (height, width):
        into[...] = _in_range(pixels, dtype)
    elif dtype in _RESIZED_FIRST or wide == pixels.dtype:
        into[...] = _in_range(cv2.resize(pixels, size).reshape(into.shape), dtype)
    elif pixels.size * wide.itemsize <= _WHOLE_AT_MOST_BYTES:
        _convert_and_resize(pixels, into, wide)
    else:
        channel = np.empty(pixels.shape[:2], wide)
        for index in range(channels):  # the same values, and a large image is never converted as a whole
            np.copyto(channel, pixels[..., index])
            into[..., index] = cv2.resize(channel, size)


def _convert_and_resize(pixels: Array, into: Array, wide: np.dtype[Any]) -> None:
    """Take the memory for it all at once: glibc gives back what is more than twice the largest piece, page by page."""
    is_direct = into.dtype == wide and into.flags.c_contiguous
    room = np.empty(pixels.size if is_direct else pixels.size + into.size, wide)
    converted = room[: pixels.size].reshape(pixels.shape)
    np.copyto(converted, pixels)
    wanted = into if is_direct else room[pixels.size :].reshape(into.shape)
    resized = cv2.resize(converted, (into.shape[1], into.shape[0]), dst=wanted)
    if not (is_direct and np.may_share_memory(resized, into)):  # OpenCV may choose not to write there
        into[...] = resized.reshape(into.shape)


def _in_range(pixels: Array, dtype: DType) -> Array:
    return np.minimum(pixels, np.iinfo(np.int8).max) if dtype is DType.INT8 else pixels


def _none(wanted: PictureInput, label: str) -> Tensor:
    """Make the tensor of no pictures, where all other lengths are known without them."""
    height, width, channels = (wanted.dim(letter) for letter in "HWC")
    if not (height.is_static and width.is_static and channels.is_static):
        raise WrongContent(f"{label}: Bytes contents is empty, expected an image at least; input name: {wanted.name}")
    batch = _Batch(wanted, 0, Size(height.low, width.low))
    batch.make(channels.low)
    return Tensor(wanted.dtype, batch.arranged)


def _bad(place: int, wanted: PictureInput, label: str, why: str) -> WrongContent:
    return WrongContent(f"{label}: input '{wanted.name}': image {place} {why}")
