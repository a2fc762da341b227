"""Boxes on pictures."""

from collections.abc import Iterable

import cv2
import numpy as np

from ovclient.detections import Detection

_RED = (0, 0, 255)
_WHITE = (255, 255, 255)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw(pixels: np.ndarray, detections: Iterable[Detection]) -> np.ndarray:
    """A copy of a picture [height, width, 3] with a red box and the score for each detection.

    Lines and letters grow with the picture, so that they show on a large one too.
    """
    drawn = pixels.copy()
    height, width = drawn.shape[:2]
    thickness = max(1, round(max(height, width) / 400))
    for detection in detections:
        x_min, y_min, x_max, y_max = detection.pixels(width, height)
        cv2.rectangle(drawn, (x_min, y_min), (x_max, y_max), _RED, thickness)
        _tag(drawn, f"{detection.score:.2f}", (x_min, y_min), thickness)
    return drawn


def _tag(drawn: np.ndarray, text: str, corner: tuple[int, int], thickness: int) -> None:
    scale = max(0.35, 0.35 * thickness)
    stroke = max(1, thickness // 2)
    (text_width, text_height), below = cv2.getTextSize(text, _FONT, scale, stroke)
    x = min(max(corner[0], 0), max(drawn.shape[1] - text_width, 0))
    y = max(corner[1], text_height + below)  # inside the picture, also where the box begins above it
    cv2.rectangle(drawn, (x, y - text_height - below), (x + text_width, y), _RED, cv2.FILLED)
    cv2.putText(drawn, text, (x, y - below // 2 - 1), _FONT, scale, _WHITE, stroke, cv2.LINE_AA)
