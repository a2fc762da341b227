"""How much of the machine a compiled model gets: what the budget says where plugin_config says nothing."""

from pathlib import Path
from typing import Any

import pytest

from ovserve.config.model import ModelConfig
from ovserve.cores import visible_cores
from ovserve.engine.core_budget import CoreBudget, Share, divide, machine_budget

MACHINE = CoreBudget(cores=64, visible=64)


def config(**settings: Any) -> ModelConfig:
    return ModelConfig(name="m", base_path=Path("m"), **settings)


def test_a_model_may_have_a_stream_for_each_core() -> None:
    assert MACHINE.share(config()) == Share(64)
    assert MACHINE.share(config()).moves


def test_on_one_core_there_is_nothing_to_move() -> None:
    share = CoreBudget(1, 1).share(config())
    assert share == Share(1)
    assert not share.moves


def test_one_stream_is_for_a_request_that_is_alone_and_more_are_for_many() -> None:
    assert MACHINE.properties(config(), 1)["PERFORMANCE_HINT"] == "LATENCY"
    assert "PERFORMANCE_HINT_NUM_REQUESTS" not in MACHINE.properties(config(), 1)
    several = MACHINE.properties(config(), 8)
    assert (several["PERFORMANCE_HINT"], several["PERFORMANCE_HINT_NUM_REQUESTS"]) == ("THROUGHPUT", 8)


def test_more_streams_than_nireq_would_have_nothing_to_do() -> None:
    assert MACHINE.share(config(nireq=2)) == Share(2)
    assert MACHINE.share(config(nireq=16)) == Share(16)
    assert MACHINE.share(config(nireq=1000)) == Share(64)


@pytest.mark.parametrize(
    "own",
    [
        {"NUM_STREAMS": "1"},
        {"PERFORMANCE_HINT": "THROUGHPUT"},
        {"PERFORMANCE_HINT_NUM_REQUESTS": "8"},
        {"INFERENCE_NUM_THREADS": "8"},
    ],
)
def test_the_users_own_word_on_streams_or_threads_decides_alone(own: dict[str, str]) -> None:
    assert MACHINE.share(config(plugin_config=own)) is None
    assert own.items() <= MACHINE.properties(config(plugin_config=own)).items()


def test_other_devices_share_themselves() -> None:
    assert MACHINE.share(config(target_device="GPU")) is None
    assert CoreBudget(2, 64).properties(config(target_device="GPU")) == {"PERFORMANCE_HINT": "THROUGHPUT"}


@pytest.mark.parametrize(
    ("running", "streams"), [(0, 1), (1, 1), (2, 2), (4, 4), (5, 8), (8, 8), (9, 16), (33, 48), (48, 48), (1000, 48)]
)
def test_streams_double_until_every_request_has_one(running: int, streams: int) -> None:
    assert Share(48).streams_for(running) == streams


def test_threads_are_left_to_openvino_where_it_sees_the_same_cores() -> None:
    assert "INFERENCE_NUM_THREADS" not in MACHINE.properties(config(), 4)


def test_threads_are_as_many_as_cores_where_openvino_would_take_more() -> None:
    container = CoreBudget(cores=2, visible=64)
    assert container.properties(config(), 2)["INFERENCE_NUM_THREADS"] == 2
    assert container.properties(config(plugin_config={"INFERENCE_NUM_THREADS": "9"}))["INFERENCE_NUM_THREADS"] == "9"


@pytest.mark.parametrize(("wish", "cores"), [(1, 1), (None, visible_cores()), (10_000, visible_cores())])
def test_the_machine_gives_what_is_asked_and_what_it_has(wish: int | None, cores: int) -> None:
    budget = machine_budget(wish)
    assert budget.visible == visible_cores()
    assert budget.cores <= cores


@pytest.mark.parametrize(
    ("cores", "processes", "shares"), [(8, 1, [8]), (8, 2, [4, 4]), (8, 3, [3, 3, 2]), (2, 4, [1, 1, 1, 1])]
)
def test_processes_divide_the_cores_and_each_has_one(cores: int, processes: int, shares: list[int]) -> None:
    assert divide(CoreBudget(cores, 16), processes) == [CoreBudget(share, 16) for share in shares]
