"""What a worker has to know of a version that the server serves."""

from collections.abc import Mapping
from dataclasses import dataclass

from ovserve.config.model import ModelConfig
from ovserve.requests import Metadata
from ovserve.serving.labels import Labels
from ovserve.serving.registry import State
from ovserve.serving.servable import Servable, Streaming
from ovserve.tensors import TensorSpec


@dataclass(frozen=True, slots=True)
class Described:
    """A servable, as far as it can be told; `streams_responses` says whether it is `Streaming`."""

    config: ModelConfig
    metadata: Metadata
    taken: tuple[TensorSpec, ...]
    slots: int
    streams: int
    admitted_at_once: int
    note: str | None
    warnings: tuple[str, ...]
    described: Mapping[str, str]
    labels: Labels
    streams_responses: bool


@dataclass(frozen=True, slots=True)
class ToldVersion:
    """A version's status; its servable has a `number`, the same in all processes.

    `members` are the numbers of what a pipeline's nodes run, None for what is no pipeline, or stays with the server.
    """

    state: State
    cause: str | None = None
    note: str | None = None
    number: int | None = None
    described: Described | None = None
    members: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class ToldEntry:
    """A model, as `Entry` in the registry."""

    versions: Mapping[int, ToldVersion]
    cause: str | None
    removed: bool


def describe(servable: Servable) -> Described:
    return Described(
        servable.config,
        servable.metadata,
        servable.taken,
        servable.slots,
        servable.streams,
        servable.admitted_at_once,
        servable.note,
        servable.warnings,
        dict(servable.described),
        servable.labels,
        isinstance(servable, Streaming),
    )
