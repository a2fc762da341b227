"""The batcher that a model's configuration asks for."""

from typing import Any

from ovserve.config.model import ModelConfig
from ovserve.serving.batching.batcher import Batcher

_MOST_WAITING = 1024


def configured_batcher(config: ModelConfig, *, most: int, slots: int, label: str) -> Batcher[Any, Any] | None:
    """Make it for groups of at most `most` rows, of which `slots` run at the same time; None where it asks for none."""
    declared = config.declared
    if declared is None or declared.dynamic_batching is None:
        return None
    return Batcher(
        declared.dynamic_batching,
        most=most,
        seats=slots,
        owner=label,
        max_queue=_queue(config, slots, most),
        queue_timeout_s=config.queue_timeout or None,
    )


def _queue(config: ModelConfig, slots: int, most: int) -> int:
    """How many may wait: where nothing is said of it, at least as many as could run then."""
    if config.max_queue is not None:
        return config.max_queue
    return max(config.queue_for(slots), min(slots * most, _MOST_WAITING))
