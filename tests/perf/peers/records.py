"""What a comparison keeps: every figure of the tables is computed from it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ovserve.bench.records import Machine, Setup


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Slice(_Record):
    """One contestant in one cycle. `cpu_us` is CPU per request of its whole tree of processes, user and system."""

    cycle: int
    by: str
    seconds: float
    requests: int
    errors: dict[str, int] = Field(default_factory=dict)
    requests_per_s: float
    cpu_us: float
    client_cpu_us: float = 0
    p50_ms: float | None = None
    p99_ms: float | None = None
    others_cpu: float = Field(description="part of the machine's CPU time that other processes took meanwhile")


class Trial(_Record):
    """The ways in which a peer was tried, and how many requests/s each gave."""

    chosen: str
    requests_per_s: dict[str, list[float]]


class Comparison(_Record):
    """One model, by everyone."""

    case: str
    title: str
    clients: int
    message_bytes: int
    limit: Setup
    stream_in_flight: int | None = Field(None, description="requests on the stream, where one was measured")
    trials: dict[str, Trial]
    left_out: dict[str, str] = Field(description="peers that did not serve it, and what they said")
    slices: list[Slice]


class Run(_Record):
    """One run of the command."""

    format: Literal[1] = 1
    started: str
    machine: Machine
    peers: dict[str, str] = Field(description="their versions")
    cycles: int
    seconds: float
    comparisons: list[Comparison]
