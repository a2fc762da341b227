import numpy as np
import pytest

from ovclient import TensorMetadata
from ovclient.image_input import ImageInput, cast


def image(shape: tuple[int, ...], datatype: str = "FP32", *, demultiplexed: bool = False) -> ImageInput | None:
    return ImageInput.of(TensorMetadata("x", datatype, shape), demultiplexed=demultiplexed)


@pytest.mark.parametrize(
    ("shape", "layout", "channels", "batch", "height", "width"),
    [
        ((1, 3, 224, 200), "NCHW", 3, 1, 224, 200),
        ((-1, 224, 200, 3), "NHWC", 3, None, 224, 200),
        ((1, 1, 8, 8), "NCHW", 1, 1, 8, 8),
        ((4, 8, 8, 1), "NHWC", 1, 4, 8, 8),
        ((1, 3, -1, -1), "NCHW", 3, 1, None, None),
        ((-1, -1, -1, -1), "NCHW", 3, None, None, None),
        ((1, 224, 224, -1), "NHWC", 3, 1, 224, 224),
    ],
)
def test_layout_and_size_are_read_from_the_shape(
    *, shape: tuple[int, ...], layout: str, channels: int, batch: int | None, height: int | None, width: int | None
) -> None:
    found = image(shape)
    assert found is not None
    assert (found.layout, found.channels, found.batch, found.height, found.width) == (
        layout,
        channels,
        batch,
        height,
        width,
    )


@pytest.mark.parametrize("shape", [(), (10,), (1, 1000), (3, 224, 224), (1, 64, 56, 56), (-1, 1, 3, 224, 224)])
def test_other_shapes_are_no_pictures(shape: tuple[int, ...]) -> None:
    assert image(shape) is None


def test_texts_are_no_pictures() -> None:
    assert image((1, 3, 8, 8), "BYTES") is None


def test_a_demultiplexers_shape_counts_where_it_is_asked_for() -> None:
    found = image((-1, 1, 3, 224, 200), demultiplexed=True)
    assert found is not None
    assert (found.layout, found.height, found.width) == ("NCHW", 224, 200)


def test_pictures_are_arranged_in_the_inputs_layout() -> None:
    nchw, nhwc = image((1, 3, 4, 5)), image((1, 4, 5, 3))
    assert nchw is not None
    assert nhwc is not None
    assert nchw.arrange(np.zeros((2, 4, 5, 3))).shape == (2, 3, 4, 5)
    assert nhwc.arrange(np.zeros((2, 4, 5, 3))).shape == (2, 4, 5, 3)


def test_whole_numbers_are_rounded_and_kept_in_range() -> None:
    assert cast(np.array([-3.0, 0.4, 0.6, 254.7, 300.0]), "UINT8").tolist() == [0, 0, 1, 255, 255]
    assert cast(np.array([1, 2], np.uint8), "FP16").dtype == np.float16
    assert cast(np.zeros((2, 3, 4)).transpose(2, 0, 1), "FP32").flags.c_contiguous
