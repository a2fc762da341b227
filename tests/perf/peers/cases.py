"""The models that are served, and by how many clients they are asked."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import openvino as ov

import small_models

MODELS = Path(__file__).resolve().parents[4] / "shared/models"
LARGE_BYTES = 8 << 20
NAME = "m"


@dataclass(frozen=True)
class Case:
    """One comparison; `make` gives the model, whose shapes are static, so that every server has one message to expect."""

    name: str
    title: str
    clients: int
    make: Callable[[], ov.Model]
    stream_in_flight: int | None = None  # on one stream, which is asked where messages are small

    def write(self, root: Path) -> Path:
        """Lay it out as version 1 of model NAME; returns the model's folder."""
        small_models.save(self.make(), root / NAME / "1")
        return root / NAME


def face() -> ov.Model:
    return _shared("face-detection-retail-0004")


def efficientnet() -> ov.Model:
    model = _shared("efficientnet-lite0")
    shape = model.input().partial_shape
    model.reshape([8, *list(shape)[1:]])
    return model


def tiny() -> ov.Model:
    return small_models.add_one([1, 10])


def large() -> ov.Model:
    return small_models.pass_through("f32", [1, LARGE_BYTES // 4])


def _shared(name: str) -> ov.Model:
    return ov.Core().read_model(next((MODELS / name).rglob("*.xml")))


CASES = (
    Case("face", "face-detection-retail-0004, [1,3,300,300]", 4, face),
    Case("efficientnet", "efficientnet-lite0, batch of 8", 4, efficientnet),
    Case("tiny", "[1,10], adds 1", 4, tiny, stream_in_flight=16),
    Case("large", "8 MB in and out, as they are", 4, large),
)
BY_NAME = {case.name: case for case in CASES}
