"""MLServer with a custom runtime."""

import json
import os
import shutil
from contextlib import AbstractContextManager
from functools import partial

from peers.cases import NAME
from peers.environment import Environment, same_openvino
from peers.place import Place
from peers.process import Server, Way, running
from peers.signature import Tensor
from peers.theirs import THEIRS
from triton_server import free_port

VERSION = "1.7.1"
MAX_MESSAGE_BYTES = 64 << 20

_UVLOOP = "uvloop<0.22"  # with later ones, which make no loop unasked, its workers do not start
_ENVIRONMENT = Environment("mlserver", (f"mlserver=={VERSION}", _UVLOOP, same_openvino()))


def ways(place: Place) -> dict[str, Way]:
    python = _ENVIRONMENT.python(place.cache)

    def start(runtime: str, workers: int) -> AbstractContextManager[Server]:
        port, work = free_port(), place.work(f"mlserver-{workers}")
        server = {
            "host": "127.0.0.1",
            "grpc_port": port,
            "http_port": free_port(),
            "grpc_max_message_length": MAX_MESSAGE_BYTES,
            "parallel_workers": workers,
            "debug": False,
            "metrics_endpoint": None,
        }
        model = {
            "name": NAME,
            "implementation": f"mlserver_runtime.{runtime}",
            "inputs": [_told(tensor) for tensor in place.signature.inputs],
            "outputs": [_told(tensor) for tensor in place.signature.outputs],
            "parameters": {"uri": str(place.file), "version": "1"},
        }
        (work / "settings.json").write_text(json.dumps(server))
        (work / "model-settings.json").write_text(json.dumps(model))
        for file in ("mlserver_runtime.py", "slots.py"):
            shutil.copy(THEIRS / file, work)
        return running([python.with_name("mlserver"), "start", "."], work, port, NAME)

    cores = len(os.sched_getaffinity(0))
    return {
        f"parallel_workers {cores}": partial(start, "Worker", cores),
        "parallel_workers 0, predict awaits a thread": partial(start, "Threads", 0),
    }


def _told(tensor: Tensor) -> dict[str, object]:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
