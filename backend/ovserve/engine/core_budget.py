"""How much of the machine a compiled model gets.

What the user writes into plugin_config decides alone; the budget fills in where it says nothing (ADR 0026).
"""

from dataclasses import dataclass, replace
from typing import Any

from ovserve.config.model import ModelConfig
from ovserve.cores import usable_cores, visible_cores

_DECIDES = frozenset({"PERFORMANCE_HINT", "NUM_STREAMS", "PERFORMANCE_HINT_NUM_REQUESTS", "INFERENCE_NUM_THREADS"})


@dataclass(frozen=True, slots=True)
class Share:
    """Up to how many streams a model may have; all its cores work for it on one as on many."""

    most: int

    @property
    def moves(self) -> bool:
        return self.most > 1

    def streams_for(self, running: int) -> int:
        """As many streams as `running` requests need, in doublings: a step is a compilation."""
        streams = 1
        while streams < min(running, self.most):
            streams *= 2
        return min(streams, self.most)


@dataclass(frozen=True, slots=True)
class CoreBudget:
    """The `cores` that models may use together, of those that OpenVINO sees (`visible`)."""

    cores: int
    visible: int

    def share(self, config: ModelConfig) -> Share | None:
        """Give the model its streams; None where the user has, or the device is not the CPU."""
        if config.target_device != "CPU" or config.plugin_config.keys() & _DECIDES or runs_one_batch(config):
            return None
        return Share(min(config.nireq or self.cores, self.cores))

    def properties(self, config: ModelConfig, streams: int | None = None) -> dict[str, Any]:
        """Complete plugin_config for at most `streams` streams; None leaves their number to the device.

        With 1 a request has all cores that help it, with 0 it runs in its own thread.
        """
        properties: dict[str, Any] = dict(config.plugin_config)
        if streams == 0:
            return {**properties, "NUM_STREAMS": 0, "INFERENCE_NUM_THREADS": 1}
        if not properties.keys() & {"PERFORMANCE_HINT", "NUM_STREAMS"}:
            is_alone = streams == 1 or runs_one_batch(config)
            properties["PERFORMANCE_HINT"] = "LATENCY" if is_alone else "THROUGHPUT"
        if config.target_device == "CPU":
            # Pinned threads of two models meet on one core while another is idle (ADR 0004).
            properties.setdefault("ENABLE_CPU_PINNING", False)
            if self.cores < self.visible:
                properties.setdefault("INFERENCE_NUM_THREADS", self.cores)
        if streams is not None and streams > 1:
            # Not NUM_STREAMS: the device still takes fewer where its caches are too small for more.
            properties["PERFORMANCE_HINT_NUM_REQUESTS"] = streams
        return properties


def machine_budget(cores: int | None = None) -> CoreBudget:
    """Share out `cores`, by default those that the process may use; never more than the scheduler lets it have."""
    visible = visible_cores()
    return CoreBudget(min(cores or usable_cores(), visible), visible)


def divide(budget: CoreBudget, processes: int) -> list[CoreBudget]:
    """Divide it among processes, one core each at least: the first ones get what is over."""
    each, over = divmod(budget.cores, processes)
    return [replace(budget, cores=max(1, each + (place < over))) for place in range(processes)]


def runs_one_batch(config: ModelConfig) -> bool:
    """Tell whether requests come as batches, one at a time: it gets all cores then (ADR 0024)."""
    declared = config.declared
    if declared is None or declared.dynamic_batching is None:
        return False
    return declared.max_batch_size > 1 and config.nireq <= 1
