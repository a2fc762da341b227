"""What the routes answer from."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ovserve.control import Control
from ovserve.dataplane import DataPlane
from ovserve.handler_threads import HandlerThreads
from ovserve.shared_memory import SharedMemory

_PROBE_THREADS = 4
_MANAGEMENT_THREADS = 4


def _probes() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_PROBE_THREADS, "rest-probe")


def _management() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_MANAGEMENT_THREADS, "rest-management")


@dataclass(frozen=True, slots=True)
class Doors:
    """The core, and threads of their own for inference, for what looks at files, and for loads, which take minutes."""

    dataplane: DataPlane
    control: Control
    memory: SharedMemory
    max_body_bytes: int
    patience_s: float
    infer_threads: HandlerThreads = field(default_factory=lambda: HandlerThreads("rest-infer"))
    probe_threads: ThreadPoolExecutor = field(default_factory=_probes)
    management_threads: ThreadPoolExecutor = field(default_factory=_management)
