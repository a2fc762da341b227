"""What a worker tells of what it has counted."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ovserve.observability.exposition import Family
from ovserve.security.refusals import Refusal
from ovserve.serving.readings import Reading


@dataclass(frozen=True, slots=True)
class Counts:
    """The readings of versions, by number, that have changed since the last time; the rest is as it stands."""

    versions: Mapping[int, Reading] = field(default_factory=dict)
    accepted: int = 0
    answered: int = 0
    refusals: Mapping[Refusal, int] = field(default_factory=dict)
    own: tuple[Family, ...] = ()
