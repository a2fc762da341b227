import cv2
import numpy as np
import pytest

from ovclient.detections import Detection, NotDetections, read
from ovclient.drawing import draw


def output(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(1, 1, -1, 7)


def test_rows_above_the_confidence_are_read() -> None:
    found = list(read(output((0, 1, 0.9, 0.1, 0.2, 0.3, 0.4), (0, 1, 0.5, 0, 0, 1, 1), (1, 1, 0.6, 0, 0, 1, 1)), 0.5))
    assert [(detection.row, detection.position) for detection in found] == [(0, 0), (2, 1)]
    assert found[0].pixels(1000, 100) == (100, 20, 300, 40)


def test_the_last_row_counts_too() -> None:
    rows = [(0, 1, 0.0, 0, 0, 0, 0)] * 199 + [(0, 1, 0.9, 0, 0, 1, 1)]
    assert [detection.row for detection in read(output(*rows), 0.5)] == [199]


def test_an_image_id_below_0_ends_the_list() -> None:
    assert list(read(output((-1, 0, 0, 0, 0, 0, 0), (0, 1, 0.9, 0, 0, 1, 1)), 0.5)) == []


def test_rows_that_are_not_finite_are_left_out() -> None:
    assert list(read(output((0, 1, 0.9, np.nan, 0, 1, 1)), 0.5)) == []


@pytest.mark.parametrize("wrong", [np.zeros((1, 1000)), np.zeros(()), np.zeros((1, 7), object)])
def test_what_is_no_list_of_rows_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(NotDetections, match=r"expected numbers of shape \[1, 1, rows, 7\], got"):
        list(read(wrong, 0.5))


@pytest.mark.parametrize("size", [(30, 20), (300, 300), (3000, 4000)])
def test_a_box_is_drawn_in_red_on_a_copy(size: tuple[int, int]) -> None:
    picture = np.zeros((*size, 3), np.uint8)
    drawn = draw(picture, [Detection(0, 0, 0.98, (0.25, 0.25, 0.75, 0.75), np.zeros(7))])
    red = cv2.inRange(drawn, (0, 0, 250), (5, 5, 255))
    assert red[round(size[0] * 0.75), round(size[1] * 0.5)]
    assert not picture.any()


def test_a_box_beyond_the_picture_keeps_its_score_inside() -> None:
    drawn = draw(np.zeros((100, 100, 3), np.uint8), [Detection(0, 0, 0.98, (0.9, -0.5, 1.5, 0.5), np.zeros(7))])
    assert drawn[:15, 60:].any()
