"""System shared memory over gRPC: its RPCs, and the parameters by which tensors refer to it."""

from typing import Any

from tritonclient.grpc import service_pb2 as pb

from ovserve.errors import InvalidInput
from ovserve.http2.call import Call
from ovserve.shared_memory import SharedMemory, Window

REGION = "shared_memory_region"
BYTE_SIZE = "shared_memory_byte_size"
OFFSET = "shared_memory_offset"


class SharedMemoryService:
    """One method per RPC, under the RPC's name."""

    def __init__(self, memory: SharedMemory) -> None:
        self._memory = memory

    def SystemSharedMemoryStatus(self, request: Any, _context: Call) -> Any:
        response = pb.SystemSharedMemoryStatusResponse()
        for region in self._memory.regions(request.name):
            found = response.regions[region.name]
            found.name, found.key = region.name, region.key
            found.offset, found.byte_size = region.offset, region.byte_size
        return response

    def SystemSharedMemoryRegister(self, request: Any, _context: Call) -> Any:
        self._memory.register(request.name, request.key, request.offset, request.byte_size)
        return pb.SystemSharedMemoryRegisterResponse()

    def SystemSharedMemoryUnregister(self, request: Any, _context: Call) -> Any:
        self._memory.unregister(request.name)
        return pb.SystemSharedMemoryUnregisterResponse()


def refers(tensor: Any) -> bool:
    """Tell whether an input, or a requested output, lies in shared memory."""
    return REGION in tensor.parameters


def window(memory: SharedMemory, tensor: Any, label: str) -> Window:
    """Find where it lies; raises `NotFound` or `InvalidInput`, which begin with `label`."""
    sizes = {}
    for name in (BYTE_SIZE, OFFSET):
        sizes[name] = 0
        if name in tensor.parameters:
            if tensor.parameters[name].WhichOneof("parameter_choice") != "int64_param":
                raise InvalidInput(f"{label}: {name} expects an int64_param")
            sizes[name] = tensor.parameters[name].int64_param
    return memory.window(tensor.parameters[REGION].string_param, sizes[OFFSET], sizes[BYTE_SIZE], label)


def windows(memory: SharedMemory, message: Any) -> dict[str, Window]:
    """Find where outputs shall go, by name."""
    found = {}
    for output in message.outputs:
        if refers(output):
            label = f"model '{message.model_name}': output '{output.name}'"
            if "classification" in output.parameters:
                raise InvalidInput(f"{label} is asked for as classes, which do not go into shared memory")
            found[output.name] = window(memory, output, label)
    return found
