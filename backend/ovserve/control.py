"""The door for those who manage: what is in the repository and how it is configured."""

from dataclasses import dataclass

from ovserve.config.model import ModelConfig
from ovserve.requests import Metadata
from ovserve.serving.registry import Entry, Registry, State, VersionStatus


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One line of the repository index; `version` is None for a model in which none was found.

    `reason` says why a version failed or, where it is READY, why it is served otherwise than asked for.
    """

    name: str
    version: int | None
    state: str
    reason: str


class Control:
    """Protocol-neutral management."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def index(self, *, ready_only: bool = False) -> list[IndexRow]:
        """List every version known, by name and number, in Triton's words: READY, LOADING, UNLOADING, UNAVAILABLE."""
        rows = [
            row
            for name, entry in sorted(self._registry.entries.items())
            if not entry.removed
            for row in _rows(name, entry)
        ]
        return [row for row in rows if row.state == "READY" or not ready_only]

    def model_config(self, name: str, version: int | None) -> tuple[ModelConfig, Metadata]:
        """Return how a version is served; raises `NotFound` or `NotReady`."""
        model = self._registry.find(name, version)
        return model.config, model.metadata


def _rows(name: str, entry: Entry) -> list[IndexRow]:
    if not entry.versions:
        return [IndexRow(name, None, "UNAVAILABLE", entry.cause or "")]
    return [
        IndexRow(name, number, _state(status), status.cause or status.note or "")
        for number, status in sorted(entry.versions.items())
    ]


def _state(status: VersionStatus) -> str:
    match status.state:
        case State.AVAILABLE:
            return "READY"
        case State.START | State.LOADING if status.cause is None:
            return "LOADING"
        case State.UNLOADING:
            return "UNLOADING"
        case _:
            return "UNAVAILABLE"
