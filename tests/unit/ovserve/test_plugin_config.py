"""What OpenVINO is told, with and without `plugin_config`, asked of the compiled model itself."""

from pathlib import Path
from typing import Any

import pytest

import ovserve
import small_models


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, {"PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": False}),
        ({"PERFORMANCE_HINT": "THROUGHPUT"}, {"PERFORMANCE_HINT": "THROUGHPUT", "ENABLE_CPU_PINNING": False}),
        ({"ENABLE_CPU_PINNING": True}, {"PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": True}),
        ({"CPU_THROUGHPUT_STREAMS": 1}, {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}),
        ({"INFERENCE_NUM_THREADS": "1"}, {"INFERENCE_NUM_THREADS": 1}),
        ({"NUM_STREAMS": 1}, {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}),
    ],
    ids=str,
)
def test_plugin_config_beats_our_defaults(tmp_path: Path, given: dict[str, Any], told: dict[str, Any]) -> None:
    small_models.save(small_models.add_one([-1, 2]), tmp_path / "m/1")  # a quick model is told to have no streams
    models = ovserve.load(model_name="m", model_path=tmp_path / "m", plugin_config=given)
    compiled = models._core.registry.find("m")._general._compiled.slots[0]._feeds[0]._request.get_compiled_model()
    found = {name: compiled.get_property(name) for name in told}
    assert {name: getattr(value, "name", value) for name, value in found.items()} == told


def test_a_variant_is_told_the_same(tmp_path: Path) -> None:
    small_models.save(small_models.add_one([1, 2]), tmp_path / "m/1")
    models = ovserve.load(model_name="m", model_path=tmp_path / "m", shape="auto", plugin_config={"NUM_STREAMS": 1})
    loaded = models._core.registry.find("m")._variants._compiler.compile(((3, 4),))
    compiled = loaded[0]._feeds[0]._request.get_compiled_model()
    assert (compiled.get_property("NUM_STREAMS"), compiled.get_property("ENABLE_CPU_PINNING")) == (1, False)


def test_the_room_for_dynamic_shapes_can_be_set(tmp_path: Path) -> None:
    """OpenVINO does not tell it; that it is accepted, and that a wrong one is not, shows that it is heard."""
    small_models.save(small_models.add_one([-1, 2]), tmp_path / "m/1")
    ovserve.load(model_name="m", model_path=tmp_path / "m", plugin_config={"CPU_RUNTIME_CACHE_CAPACITY": 5000})
    with pytest.raises(ovserve.core.CannotStart, match="CPU_RUNTIME_CACHE_CAPACITY"):
        ovserve.load(model_name="m", model_path=tmp_path / "m", plugin_config={"CPU_RUNTIME_CACHE_CAPACITY": "x"})
