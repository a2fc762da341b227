"""The device picked where nobody names one."""

import pytest
from openvino.properties import device

from ovserve.engine.devices import pick

DISCRETE, INTEGRATED = device.Type.DISCRETE, device.Type.INTEGRATED


class FakeCore:
    def __init__(self, **devices: object) -> None:
        self._types = {name.replace("_", "."): kind for name, kind in devices.items()}
        self.available_devices = list(self._types)

    def get_property(self, name: str, property_name: str) -> object:
        return self._types[name]


@pytest.mark.parametrize(
    ("devices", "picked"),
    [
        ({"CPU": None}, "CPU"),
        ({"CPU": None, "NPU": None}, "CPU"),
        ({"CPU": None, "GPU": INTEGRATED}, "GPU"),
        ({"CPU": None, "GPU_0": INTEGRATED, "GPU_1": DISCRETE}, "GPU.1"),
        ({"CPU": None, "GPU_0": DISCRETE, "GPU_1": DISCRETE}, "GPU.0"),
    ],
)
def test_a_discrete_gpu_goes_before_an_integrated_one_before_the_cpu(devices: dict[str, object], picked: str) -> None:
    assert pick(FakeCore(**devices)) == picked
