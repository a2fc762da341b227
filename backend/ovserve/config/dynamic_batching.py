"""How requests are put together, and how long they wait for that (`dynamic_batching`, spec K.3). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

_US = 1e-6


@dataclass(frozen=True, slots=True)
class QueuePolicy:
    """What becomes of a request that waits long; a `timeout_us` and a `max_queue_size` of 0 are no limit.

    Once its time is over a request is refused or, where it `delays`, goes behind the others. `allows_override` lets
    requests bring a shorter time of their own.
    """

    timeout_us: int = 0
    delays: bool = False
    allows_override: bool = False
    max_queue_size: int = 0

    def timeout_s(self, asked_us: int) -> float | None:
        """How long a request that asks for `asked_us` (0: nothing) may wait; None without limit."""
        limits = [limit for limit in (self.timeout_us, asked_us if self.allows_override else 0) if limit]
        return min(limits) * _US if limits else None


@dataclass(frozen=True, slots=True)
class DynamicBatching:
    """How large groups are to be, and how long a request waits for others.

    Level 1 goes before level 2, and so on; without `levels` there is only level 0. `policies` are those of levels that
    have one of their own.
    """

    preferred: frozenset[int] = frozenset()
    delay_us: int = 0
    keeps_order: bool = False
    levels: int = 0
    default_level: int = 0
    policy: QueuePolicy = QueuePolicy()
    policies: Mapping[int, QueuePolicy] = field(default_factory=dict)

    def level(self, priority: int) -> int:
        """Find the level of a request; a priority that is none is the default one (Triton)."""
        return priority if 1 <= priority <= self.levels else self.default_level

    def policy_of(self, level: int) -> QueuePolicy:
        return self.policies.get(level, self.policy)
