"""The kserve Python server with a custom model."""

from contextlib import AbstractContextManager
from functools import partial

from peers.cases import NAME
from peers.environment import Environment, same_openvino
from peers.place import Place
from peers.process import Server, Way, running
from peers.theirs import THEIRS
from triton_server import free_port

VERSION = "0.21.0"
MAX_MESSAGE_BYTES = 64 << 20  # its default, 8 MiB, leaves no room for a message around 8 MiB

_ENVIRONMENT = Environment("kserve", (f"kserve=={VERSION}", same_openvino()))


def ways(place: Place) -> dict[str, Way]:
    python = _ENVIRONMENT.python(place.cache)

    def start(kind: str) -> AbstractContextManager[Server]:
        port, rest = free_port(), free_port()
        flags = {
            "model_name": NAME,
            "grpc_port": port,
            "http_port": rest,
            "grpc_max_send_message_length": MAX_MESSAGE_BYTES,
            "grpc_max_receive_message_length": MAX_MESSAGE_BYTES,
            "configure_logging": False,  # else it writes a line for each request
        }
        command = [python, THEIRS / "kserve_model.py", place.file, kind, *(f"--{k}={v}" for k, v in flags.items())]
        return running(command, place.work(f"kserve-{kind}"), port, NAME)

    return {"predict awaits a thread": partial(start, "threads"), "predict in the loop": partial(start, "inline")}
