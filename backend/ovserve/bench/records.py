"""What a run leaves behind: the raw figures, as JSON."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ovserve.bench.schedule import Kind
from ovserve.config.plugin_config import PluginConfig


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Measured(_Record):
    """One slice. `cpu_us` is the serving process's (the limit: OpenVINO's) CPU per request, user and system."""

    index: int
    clients: int
    kind: Kind
    seconds: float
    requests: int
    errors: dict[str, int] = Field(default_factory=dict)
    requests_per_s: float
    cpu_us: float
    client_cpu_us: float = 0
    p50_ms: float | None = None
    p90_ms: float | None = None
    p99_ms: float | None = None
    others_cpu: float = Field(description="part of the machine's CPU time that other processes took meanwhile")


class Setup(_Record):
    """A way to run OpenVINO in process."""

    config: str
    in_flight: int


class Probe(_Record):
    """What a short look at one way gave, once per round."""

    setup: Setup
    requests_per_s: list[float]


class InputTensor(_Record):
    datatype: str
    shape: list[int]


class Subject(_Record):
    """The model and how it was served."""

    name: str
    inputs: dict[str, InputTensor]
    message_bytes: int
    target_device: str
    plugin_config: PluginConfig
    nireq: int


class Machine(_Record):
    cpu: str
    cores: int
    system: str
    versions: dict[str, str]


class Run(_Record):
    """A whole run; every figure that is printed is computed from `measured`."""

    format: Literal[1] = 1
    started: str
    machine: Machine
    subject: Subject
    slices: int
    seconds: float
    limits: dict[int, Setup] = Field(description="best setup by the most requests in flight; 0: any number")
    probes: list[Probe]
    measured: list[Measured]
