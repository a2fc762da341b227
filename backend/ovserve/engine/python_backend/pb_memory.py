"""Memory and traces, as a Python model knows them from `triton_python_backend_utils`."""

from enum import IntEnum


class MemoryType(IntEnum):
    TRITONSERVER_MEMORY_CPU = 0
    TRITONSERVER_MEMORY_CPU_PINNED = 1
    TRITONSERVER_MEMORY_GPU = 2


TRITONSERVER_MEMORY_CPU = MemoryType.TRITONSERVER_MEMORY_CPU
TRITONSERVER_MEMORY_CPU_PINNED = MemoryType.TRITONSERVER_MEMORY_CPU_PINNED
TRITONSERVER_MEMORY_GPU = MemoryType.TRITONSERVER_MEMORY_GPU


class PreferredMemory:
    """Where a request's outputs should lie: in ordinary memory, wherever it says."""

    def __init__(
        self, preferred_memory_type: MemoryType = TRITONSERVER_MEMORY_CPU, preferred_device_id: int = 0
    ) -> None:
        self._type = MemoryType(preferred_memory_type)
        self._device_id = int(preferred_device_id)

    def preferred_memory_type(self) -> MemoryType:
        return self._type

    def preferred_device_id(self) -> int:
        return self._device_id


class InferenceTrace:
    """A request's trace, which models can hand on and have no other use for."""

    def get_context(self) -> str | None:
        return None
