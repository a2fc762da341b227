"""Cuts what a detector found out of the picture: a custom node, and an example for your own.

| input | shape | |
|---|---|---|
| image | FP32 [1,3,H,W] | the picture that the detector saw |
| detections | FP32 [1,1,N,7] | image_id, label, confidence, x_min, y_min, x_max, y_max; an image_id of -1 ends them |

| output | shape | |
|---|---|---|
| images | FP32 [n,1,3,target_height,target_width] | the n cuts |
| coordinates | FP32 [n,1,4] | x_min, y_min, x_max, y_max of each cut |
| confidences | FP32 [n,1,1] | |

Coordinates go from 0 to 1. With `demultiply_count` -1 each cut travels on as [1,3,target_height,target_width].
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import triton_python_backend_utils as pb_utils


@dataclass(frozen=True)
class Params:
    """The node's `params` in config.json, which are all texts."""

    target_width: int
    target_height: int
    confidence_threshold: float
    enlarge: float  # this part of the width and of the height is added on each side
    max_crops: int  # the surest ones

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> "Params":
        """Read them from a model configuration; raises a sentence that names the param."""
        texts = {name: value["string_value"] for name, value in config["parameters"].items()}
        unknown = texts.keys() - cls.__dataclass_fields__.keys()
        if unknown:
            known = ", ".join(cls.__dataclass_fields__)
            raise pb_utils.TritonModelException(f"there is no param '{min(unknown)}'; there are {known}")
        return cls(
            target_width=_number(texts, "target_width", int, low=1, high=4096),
            target_height=_number(texts, "target_height", int, low=1, high=4096),
            confidence_threshold=_number(texts, "confidence_threshold", float, low=0, high=1, default="0.5"),
            enlarge=_number(texts, "enlarge", float, low=0, high=10, default="0"),
            max_crops=_number(texts, "max_crops", int, low=1, high=10000, default="100"),
        )


def _number(texts: Mapping[str, str], name: str, kind: Any, *, low: int, high: int, default: str | None = None) -> Any:
    text = texts.get(name, default)
    if text is None:
        raise pb_utils.TritonModelException(f"param '{name}' is missing")
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not low <= value <= high:
        what = "a whole number" if kind is int else "a number"
        raise pb_utils.TritonModelException(f"param '{name}' must be {what} from {low} to {high}, got '{text}'")
    return value


class TritonPythonModel:
    @staticmethod
    def auto_complete_config(config: Any) -> Any:
        """Declare the tensors: the pipeline is checked against them when it is loaded."""
        params = Params.read(config.as_dict())
        config.add_input({"name": "image", "data_type": "TYPE_FP32", "dims": [1, 3, -1, -1]})
        config.add_input({"name": "detections", "data_type": "TYPE_FP32", "dims": [1, 1, -1, 7]})
        size = [params.target_height, params.target_width]
        config.add_output({"name": "images", "data_type": "TYPE_FP32", "dims": [-1, 1, 3, *size]})
        config.add_output({"name": "coordinates", "data_type": "TYPE_FP32", "dims": [-1, 1, 4]})
        config.add_output({"name": "confidences", "data_type": "TYPE_FP32", "dims": [-1, 1, 1]})
        return config

    def initialize(self, args: dict[str, str]) -> None:
        """Keep what every request needs."""
        self._params = Params.read(json.loads(args["model_config"]))

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        image = pb_utils.get_input_tensor_by_name(request, "image").as_numpy()[0]
        rows = pb_utils.get_input_tensor_by_name(request, "detections").as_numpy()[0, 0]
        confidences, boxes = find(rows, self._params)
        cuts, kept = cut(image, boxes, self._params)
        return pb_utils.InferenceResponse(
            [
                pb_utils.Tensor("images", cuts),
                pb_utils.Tensor("coordinates", boxes[kept][:, None]),
                pb_utils.Tensor("confidences", confidences[kept][:, None, None]),
            ]
        )


def find(rows: Any, params: Params) -> tuple[Any, Any]:
    """Find the confidences [n] and the enlarged and clipped boxes [n,4] of the rows that are sure enough."""
    ends = np.flatnonzero(rows[:, 0] == -1)
    rows = rows[: ends[0]] if ends.size else rows
    rows = rows[(rows[:, 2] > params.confidence_threshold) & np.isfinite(rows[:, 3:]).all(1)]
    surest = np.argsort(-rows[:, 2], kind="stable")[: params.max_crops]
    rows = rows[np.sort(surest)]
    least, most = rows[:, 3:5], rows[:, 5:7]
    margin = (most - least) * params.enlarge
    return rows[:, 2], np.clip(np.hstack([least - margin, most + margin]), 0, 1)


def cut(image: Any, boxes: Any, params: Params) -> tuple[Any, list[int]]:
    """Cut the boxes out of `image` [3,H,W]: [n,1,3,target_height,target_width], and which boxes are not empty."""
    height, width = image.shape[1:]
    cuts: list[Any] = [np.empty((0, 1, 3, params.target_height, params.target_width), np.float32)]
    kept = []
    for index, (x_min, y_min, x_max, y_max) in enumerate(boxes * [width, height, width, height]):
        if x_min < x_max and y_min < y_max:
            part = image[:, _pixels(y_min, y_max, height), _pixels(x_min, x_max, width)]
            resized = cv2.resize(
                np.ascontiguousarray(part.transpose(1, 2, 0)), (params.target_width, params.target_height)
            )
            cuts.append(resized.transpose(2, 0, 1)[None, None])
            kept.append(index)
    return np.concatenate(cuts), kept


def _pixels(least: float, most: float, length: int) -> slice:
    """The nearest whole pixels, at least one."""
    start = min(round(least), length - 1)
    return slice(start, max(round(most), start + 1))
