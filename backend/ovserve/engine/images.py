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
_WHOLE_AT_MOST_BYTES = 1 << 20  # beyond it, glibc asks the system for memory each time, and page faults cost most
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
    channels = wanted.dim("C").high or _MOST_CHANNELS
    needed = len(files) * target.pixels * channels * wanted.dtype.numpy.itemsize
    if needed > MAX_BYTES:
        raise WrongContent(
            f"{label}: {len(files)} images of {target} pixels would take {needed} bytes as {wanted.dtype.kserve}, "
            f"expected at most {MAX_BYTES}; input name: {wanted.name}"
        )
    batch: Array | None = None
    for place, (file, size) in enumerate(zip(files, sizes, strict=True)):
        if place:
            pause()
        pixels = _pixels(file, size, place, wanted, label)
        if batch is None:
            batch = np.empty((len(files), target.height, target.width, pixels.shape[2]), wanted.dtype.numpy)
        _check_channels(pixels, batch, place, wanted, label)
        batch[place] = _fitted(pixels, wanted.dtype, target)
    assert batch is not None  # noqa: S101 - there are files
    return Tensor(wanted.dtype, _arranged(batch, wanted))


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


def _check_channels(pixels: Array, batch: Array, place: int, wanted: PictureInput, label: str) -> None:
    found, dim = pixels.shape[2], wanted.dim("C")
    if dim.admits(found) and found == batch.shape[3]:
        return
    expected = f"{batch.shape[3]} as the first" if dim.admits(found) else str(dim)
    raise WrongContent(
        f"{label}: Invalid number of channels in binary input - Expected: {expected}; Actual: {found} in image "
        f"{place}; input name: {wanted.name}"
    )


def _fitted(pixels: Array, dtype: DType, target: Size) -> Array:
    """Convert, then resize, as OVMS does; what OpenCV cannot resize in its datatype is resized first."""
    if pixels.shape[:2] == (target.height, target.width):
        return _converted(pixels, dtype)
    if dtype in _RESIZED_FIRST:
        return _converted(_resized(pixels, target), dtype)
    wide = np.dtype(np.float32) if dtype is DType.FP16 else dtype.numpy
    if pixels.size * wide.itemsize > _WHOLE_AT_MOST_BYTES and wide != pixels.dtype:
        return _resized_by_channel(pixels, wide, target)
    return _resized(pixels.astype(wide, copy=False), target)


def _resized(pixels: Array, target: Size) -> Array:
    return cv2.resize(pixels, (target.width, target.height)).reshape(target.height, target.width, -1)


def _resized_by_channel(pixels: Array, wide: np.dtype[Any], target: Size) -> Array:
    """Convert and resize one channel after the other: the same values, and never all of a large image converted."""
    resized = np.empty((target.height, target.width, pixels.shape[2]), wide)
    channel = np.empty(pixels.shape[:2], wide)
    for index in range(pixels.shape[2]):
        np.copyto(channel, pixels[..., index])
        resized[..., index] = cv2.resize(channel, (target.width, target.height))
    return resized


def _converted(pixels: Array, dtype: DType) -> Array:
    kept = np.minimum(pixels, np.iinfo(np.int8).max) if dtype is DType.INT8 else pixels
    return kept.astype(dtype.numpy, copy=False)


def _arranged(batch: Array, wanted: PictureInput) -> Array:
    if wanted.order == "NCHW":
        batch = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
    return batch[:, np.newaxis] if wanted.between else batch


def _none(wanted: PictureInput, label: str) -> Tensor:
    """Make the tensor of no pictures, where all other lengths are known without them."""
    height, width, channels = (wanted.dim(letter) for letter in "HWC")
    if not (height.is_static and width.is_static and channels.is_static):
        raise WrongContent(f"{label}: Bytes contents is empty, expected an image at least; input name: {wanted.name}")
    return Tensor(
        wanted.dtype, _arranged(np.empty((0, height.low, width.low, channels.low), wanted.dtype.numpy), wanted)
    )


def _bad(place: int, wanted: PictureInput, label: str, why: str) -> WrongContent:
    return WrongContent(f"{label}: input '{wanted.name}': image {place} {why}")
