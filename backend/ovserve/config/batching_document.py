"""`dynamic_batching` of a Triton model configuration (spec K.3). Pure."""

from collections.abc import Mapping
from typing import Any

from ovserve.config.declared import Document, WrongTritonConfig
from ovserve.config.dynamic_batching import DynamicBatching, QueuePolicy

_DELAY = ("DELAY", 1)


def read_dynamic_batching(document: Document, max_batch_size: int) -> DynamicBatching | None:
    """Read it where there is one; raises `WrongTritonConfig` for what Triton refuses too."""
    given = document.get("dynamic_batching")
    if given is None:
        return None
    found = DynamicBatching(
        frozenset(map(int, given.get("preferred_batch_size", ()))),
        int(given.get("max_queue_delay_microseconds", 0)),
        bool(given.get("preserve_ordering", False)),
        int(given.get("priority_levels", 0)),
        int(given.get("default_priority_level", 0)),
        _policy(given.get("default_queue_policy", {})),
        {int(level): _policy(policy) for level, policy in given.get("priority_queue_policy", {}).items()},
    )
    cause = _wrong(found, max_batch_size)
    if cause:
        raise WrongTritonConfig(f"dynamic_batching: {cause}")
    return found


def _policy(document: Mapping[str, Any]) -> QueuePolicy:
    return QueuePolicy(
        int(document.get("default_timeout_microseconds", 0)),
        document.get("timeout_action") in _DELAY,
        bool(document.get("allow_timeout_override", False)),
        int(document.get("max_queue_size", 0)),
    )


def _wrong(found: DynamicBatching, max_batch_size: int) -> str:
    """Say what is wrong; nothing where all is right."""
    for size in sorted(found.preferred):
        if not 1 <= size <= max_batch_size:
            return f"preferred_batch_size is {size}, expected from 1 to max_batch_size {max_batch_size}"
    if found.levels and not 1 <= found.default_level <= found.levels:
        return f"default_priority_level is {found.default_level}, expected from 1 to priority_levels {found.levels}"
    for level in sorted(found.policies):
        if not 1 <= level <= found.levels:
            return f"priority_queue_policy of level {level}, expected from 1 to priority_levels {found.levels}"
    if found.keeps_order and found.levels > 1:
        return f"preserve_ordering allows one of the priority_levels, got {found.levels}"
    if found.keeps_order and any(each.delays and each.timeout_us for each in (found.policy, *found.policies.values())):
        return "preserve_ordering does not go with the timeout_action DELAY"
    return ""
