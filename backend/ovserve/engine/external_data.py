"""Weights that an ONNX model keeps outside its own file."""

from pathlib import Path

# ONNX Runtime's mark for weights that lie in memory, at the address that the file gives as their offset: OpenVINO would
# read there, whatever lies there, in the server's own memory.
_IN_MEMORY = b"*/_ORT_MEM_ADDR_/*"
_CHUNK_BYTES = 1 << 20


def points_into_memory(path: Path) -> bool:
    """Tell whether the model in a file takes weights from an address in memory.

    OpenVINO knows ONNX by its content, whatever the file is called.
    """
    end = b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            if _IN_MEMORY in end + chunk:
                return True
            end = chunk[1 - len(_IN_MEMORY) :]
    return False
