"""Encoded pictures become tensors (spec E.6, N.9)."""

from contextlib import suppress
from datetime import timedelta

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encoded_pictures import handmade_png, jpeg, noise, png
from ovserve.engine import images
from ovserve.engine.picture_header import Size, read_size
from ovserve.engine.picture_input import PictureInput, plan
from ovserve.errors import InvalidInput, WrongContent, WrongShape
from ovserve.tensors import ANY, Dim, DType, Tensor, TensorSpec
from wire_server import texts

RED = np.array([[[0x24, 0x1B, 0xED]]], np.uint8)  # one pixel, BGR
MAX_PIXELS = 64_000_000


def spec(dims: tuple, dtype: DType = DType.UINT8, layout: str | None = "NHWC") -> TensorSpec:
    """Dimensions are lengths, -1 for any, or (low, high)."""
    lengths = [ANY if dim == -1 else Dim(*dim) if isinstance(dim, tuple) else Dim(dim, dim) for dim in dims]
    return TensorSpec("x", dtype, tuple(lengths), layout, 0)


def planned(*args: object, demultiplexed: bool = False, **kwargs: object) -> PictureInput:
    wanted = plan(spec(*args, **kwargs), demultiplexed=demultiplexed)
    assert wanted is not None
    return wanted


def decode(wanted: PictureInput, *files: bytes, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    return images.decode(wanted, Tensor(DType.BYTES, texts(*files)), "model 'm'", max_pixels).data


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (DType.UINT8, "241bed"),
        (DType.INT8, "241b7f"),  # kept in range
        (DType.UINT16, "24001b00ed00"),
        (DType.INT16, "24001b00ed00"),
        (DType.INT32, "240000001b000000ed000000"),
        (DType.FP16, np.array([0x24, 0x1B, 0xED], np.float16).tobytes().hex()),
        (DType.FP32, np.array([0x24, 0x1B, 0xED], np.float32).tobytes().hex()),
        (DType.FP64, np.array([0x24, 0x1B, 0xED], np.float64).tobytes().hex()),
    ],
)
@pytest.mark.parametrize("size", [1, 2])
def test_pixels_in_every_datatype_unscaled_also_resized(dtype: DType, expected: str, size: int) -> None:
    pixels = decode(planned((1, size, size, 3), dtype), png(RED))
    assert (pixels.shape, pixels.dtype) == ((1, size, size, 3), dtype.numpy)
    assert pixels.tobytes().hex() == expected * size**2


@pytest.mark.parametrize("dtype", [DType.INT64, DType.UINT64, DType.UINT32, DType.BOOL, DType.BF16, DType.BYTES])
def test_no_other_datatype_takes_pictures(dtype: DType) -> None:
    assert plan(spec((1, 1, 1, 3), dtype)) is None


def test_a_grey_picture_has_one_channel() -> None:
    assert decode(planned((1, 1, 1, 1)), png(np.zeros((1, 1), np.uint8))).tobytes() == b"\0"


@pytest.mark.parametrize(
    ("dims", "picture", "expected"),
    [
        ((1, 1, (2, 5), 3), (1, 1), (1, 2)),  # the nearest border
        ((1, 1, (1, 3), 3), (4, 4), (1, 3)),
        ((1, (1, 3), (1, 3), 3), (4, 4), (3, 3)),
        ((-1, (1, 5), (1, 5), 3), (4, 4), (4, 4)),
        ((1, -1, -1, 3), (4, 7), (4, 7)),
        ((1, -1, 1, 3), (1, 1), (1, 1)),
        ((-1, 5, 6, 3), (9, 9), (5, 6)),
    ],
)
def test_the_size_of_what_comes_out(dims: tuple, picture: tuple[int, int], expected: tuple[int, int]) -> None:
    assert decode(planned(dims), png(noise(*picture))).shape == (1, *expected, 3)


@pytest.mark.parametrize(
    ("dims", "layout"), [((1, -1, 4, 3), "NHWC"), ((1, 2, 2, 3), None), ((1, 2, 2, 3), "N..."), ((1, 3, 2, 2), None)]
)
def test_other_sizes_are_refused_where_resizing_is_not_allowed(dims: tuple, layout: str | None) -> None:
    with pytest.raises(WrongShape, match=r"^model 'm': Invalid input shape - Expected: \(.*\); Actual: image of 1x1 "):
        decode(planned(dims, layout=layout), png(RED))


def test_pictures_of_any_size_must_agree() -> None:
    with pytest.raises(WrongShape, match="same resolution - Expected: 2x2 as the first; Actual: 1x1 of image 1"):
        decode(planned((-1, -1, -1, 3)), png(noise(2, 2)), png(RED))


def test_pictures_for_a_fixed_size_need_not() -> None:
    assert decode(planned((2, 3, 3, 3)), png(noise(2, 2)), png(noise(7, 9))).shape == (2, 3, 3, 3)


@pytest.mark.parametrize("count", [5, (1, 10)])
def test_five_pictures_under_a_demultiplexer(count: object) -> None:
    wanted = planned((count, 1, (1, 3), (1, 3), 3), layout="N?HWC", demultiplexed=True)
    assert decode(wanted, *[png(noise(4, 4))] * 5).shape == (5, 1, 3, 3, 3)


def test_what_has_five_dimensions_without_a_demultiplexer_is_no_picture() -> None:
    assert plan(spec((1, 1, 2, 2, 3), layout=None)) is None


@pytest.mark.parametrize(("layout", "dims"), [("NCHW", (1, 3, 4, 5)), (None, (1, 3, -1, -1)), ("N...", (1, 3, 4, 5))])
def test_an_input_in_nchw_gets_it_transposed(layout: str | None, dims: tuple) -> None:
    picture = noise(4, 5)
    assert (decode(planned(dims, layout=layout), png(picture))[0] == picture.transpose(2, 0, 1)).all()


def test_a_layout_of_something_else_is_refused_in_ovmss_words() -> None:
    words = "Received binary image input but resource not configured to accept NHWC layout; input name: x"
    with pytest.raises(WrongShape, match=words):
        decode(planned((3, 1, 1, 1), layout="CHWN"), png(RED))


@pytest.mark.parametrize("size", [(10, 9), (40, 30), (700, 900), (1400, 1600)])
@pytest.mark.parametrize("dtype", [DType.UINT8, DType.FP32, DType.INT16, DType.FP64])
def test_resized_as_opencv_does_after_the_conversion(dtype: DType, size: tuple[int, int]) -> None:
    picture = noise(*size)
    expected = cv2.resize(picture.astype(dtype.numpy), (16, 20))
    assert (decode(planned((1, 20, 16, 3), dtype), png(picture))[0] == expected).all()
    transposed = decode(planned((1, 3, 20, 16), dtype, "NCHW"), png(picture))[0]
    assert (transposed == expected.transpose(2, 0, 1)).all()


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("dtype", [DType.UINT8, DType.FP32, DType.FP16])
def test_resized_with_other_channels(dtype: DType, channels: int) -> None:
    picture = noise(40, 30, channels)
    expected = cv2.resize(picture.astype(np.float32 if dtype is DType.FP16 else dtype.numpy), (16, 20))
    found = decode(planned((2, 20, 16, channels), dtype), png(picture), png(picture))
    assert (found == expected.reshape(20, 16, channels).astype(dtype.numpy)).all()


def test_a_jpeg_is_what_opencv_makes_of_it() -> None:
    file = jpeg(noise(33, 17))
    expected = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_UNCHANGED)
    assert (decode(planned((1, 33, 17, 3)), file)[0] == expected).all()


def test_an_orientation_is_not_applied() -> None:
    file = jpeg(noise(8, 16))
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    turned = file[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2) + exif + file[2:]
    assert decode(planned((1, -1, -1, 3)), turned).shape == (1, 8, 16, 3)


def test_a_picture_of_16_bits_keeps_them() -> None:
    deep = np.array([[[1, 256, 65535]]], np.uint16)
    assert decode(planned((1, 1, 1, 3), DType.FP32), png(deep)).ravel().tolist() == [1, 256, 65535]
    with pytest.raises(WrongContent, match="image 0 has 16 bits a channel, expected 8 for datatype UINT8"):
        decode(planned((1, 1, 1, 3)), png(deep))


@pytest.mark.parametrize("channels", [1, 4])
def test_other_channels_are_refused(channels: int) -> None:
    words = f"Invalid number of channels in binary input - Expected: 3; Actual: {channels} in image 0; input name: x"
    with pytest.raises(WrongContent, match=words):
        decode(planned((1, 1, 1, 3)), png(noise(1, 1, channels)))


def test_channels_of_any_number_must_agree() -> None:
    with pytest.raises(WrongContent, match="Expected: 3 as the first; Actual: 4 in image 1"):
        decode(planned((2, 1, 1, -1)), png(RED), png(noise(1, 1, 4)))


def test_the_number_of_pictures_is_the_batch() -> None:
    words = "model 'm': Invalid input batch size - Expected: 1; Actual: 2; input name: x"
    with pytest.raises(WrongShape, match=words):
        decode(planned((1, 1, 1, 3)), png(RED), png(RED))


def test_pictures_come_in_one_dimension() -> None:
    encoded = Tensor(DType.BYTES, texts(png(RED)).reshape(1, 1))
    words = "Expected number of input shape dimensions: 1; Actual: 2"
    with pytest.raises(WrongShape, match=words):
        images.decode(planned((1, 1, 1, 3)), encoded, "model 'm'", MAX_PIXELS)


def test_no_pictures_are_a_tensor_of_none_where_the_size_is_known() -> None:
    assert decode(planned((-1, 2, 4, 3))).shape == (0, 2, 4, 3)
    with pytest.raises(WrongContent, match="Bytes contents is empty"):
        decode(planned((-1, -1, 4, 3)))


JPEG, PNG = jpeg(noise(40, 40)), png(noise(40, 40))
DAMAGED = bytearray(PNG)
DAMAGED[len(PNG) // 2] ^= 0xFF


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (b"", "is empty, expected a JPEG or PNG file"),
        (b"hello", "is neither JPEG nor PNG: it begins with 68 65 6c 6c"),
        (b"\xff\xd8", "is a JPEG that does not say its size"),
        (b"\xff\xd8" + b"\xff" * (1 << 24), "is a JPEG that does not say its size"),
        (b"\xff\xd8" + b"\xff\xe0\0\x02" * (1 << 22), "is a JPEG that does not say its size"),
        (JPEG[: len(JPEG) // 2], "is a JPEG whose end is missing"),
        (JPEG[:300], "is a JPEG that does not say its size|is a JPEG whose end is missing"),
        (PNG[:20], "is a PNG that ends within its header"),
        (PNG[: len(PNG) // 2], "is a PNG whose end is missing"),
        (PNG[:33] + b"\x7f" + PNG[34:], "is a PNG whose end is missing"),  # a part that says it has 2 GB
        (bytes(DAMAGED), "cannot be decoded: its data is damaged"),
        (handmade_png(40, 40), "cannot be decoded: its data is damaged"),
        (handmade_png(0, 40), "cannot be decoded: it says that it is 40x0 pixels large"),
        (handmade_png(10_000, 10_000), r"has 10000x10000 pixels, expected at most 64000000 \(--max_image_pixels\)"),
        (handmade_png(2**32 - 1, 2**32 - 1), "has 4294967295x4294967295 pixels, expected at most 64000000"),
    ],
)
def test_what_is_no_picture_is_told_as_it_is(file: bytes, why: str) -> None:
    with pytest.raises(WrongContent, match=f"^model 'm': input 'x': image 1 {why}"):
        decode(planned((2, 40, 40, 3)), JPEG, file)


def test_every_beginning_of_a_file_is_refused() -> None:
    for file in (JPEG, PNG):
        for length in range(0, len(file) - 12, 7):
            with pytest.raises(InvalidInput):
                decode(planned((1, 40, 40, 3)), file[:length])


@settings(deadline=timedelta(seconds=2))
@given(st.sampled_from([JPEG, PNG]), st.lists(st.tuples(st.integers(0, 1 << 20), st.binary(max_size=4)), min_size=1))
def test_whatever_is_damaged_is_an_image_or_refused(file: bytes, damage: list[tuple[int, bytes]]) -> None:
    damaged = bytearray(file)
    for place, put in damage:
        at = place % len(damaged)
        damaged[at : at + len(put)] = put
    with suppress(InvalidInput):
        assert decode(planned((1, 40, 40, 3)), bytes(damaged)).shape == (1, 40, 40, 3)


def test_the_limit_can_be_another() -> None:
    with pytest.raises(WrongContent, match="has 40x40 pixels, expected at most 1599"):
        decode(planned((1, 40, 40, 3)), PNG, max_pixels=1599)
    assert decode(planned((1, 40, 40, 3)), PNG, max_pixels=1600).size


def test_a_tensor_beyond_a_gigabyte_is_refused_before_anything_is_decoded() -> None:
    with pytest.raises(WrongContent, match="2 images of 10000x10000 pixels would take 2400000000 bytes as FP32"):
        decode(planned((2, 10_000, 10_000, 3), DType.FP32), JPEG, JPEG)


@pytest.mark.parametrize("progressive", [0, 1])
def test_sizes_are_read_from_headers(progressive: int) -> None:
    file = cv2.imencode(".jpg", noise(11, 23), [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive])[1].tobytes()
    assert read_size(file) == Size(11, 23)
    assert read_size(png(noise(11, 23))) == Size(11, 23)


def test_who_has_gone_ends_the_work_between_two_pictures() -> None:
    def pause() -> None:
        raise WrongContent("gone")

    with pytest.raises(WrongContent, match="gone"):
        images.decode(planned((2, 40, 40, 3)), Tensor(DType.BYTES, texts(PNG, PNG)), "model 'm'", MAX_PIXELS, pause)
