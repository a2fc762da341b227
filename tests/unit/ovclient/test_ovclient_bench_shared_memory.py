"""Requests of `ovclient bench` whose tensors lie in shared memory, without a server."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tritonclient.grpc import service_pb2 as pb

from ovclient._calls import Call
from ovclient.bench.shared_memory import in_shared_memory

FOLDER = Path("/dev/shm")  # noqa: S108 - where shm_open puts what it opens

REQUEST = pb.ModelInferRequest(model_name="m", raw_input_contents=[b"12345678", b"abcd"])
for each in ("x", "y"):
    REQUEST.inputs.add(name=each, datatype="FP32")
OUTPUTS = {"a": np.zeros(3, np.float32), "b": np.zeros(5, np.float32)}


def place(tensor: Any) -> tuple[str, int, int]:
    found = tensor.parameters
    offset, size = (found[f"shared_memory_{what}"].int64_param for what in ("offset", "byte_size"))
    return found["shared_memory_region"].string_param, offset, size


class Calls(list[tuple[str, str]]):
    def run(self, call: Call[Any]) -> None:
        self.append((call.rpc, call.request.name))


def test_clients_read_the_same_inputs_and_have_their_outputs_to_themselves() -> None:
    calls = Calls()
    with in_shared_memory(calls.run, REQUEST, OUTPUTS, 3) as requests:
        assert len(requests) == 3
        ((inputs, *_), *_) = places = [place(tensor) for tensor in requests[0].inputs]
        assert places == [(inputs, 0, 8), (inputs, 8, 4)]
        assert all([place(tensor) for tensor in request.inputs] == places for request in requests)
        assert (FOLDER / inputs).read_bytes() == b"12345678abcd"
        own = [[place(tensor) for tensor in request.outputs] for request in requests]
        regions = [region for (region, *_), _ in own]
        assert own == [[(region, 0, 12), (region, 12, 20)] for region in regions]
        assert [(FOLDER / region).stat().st_size for region in regions] == [32, 32, 32]
        names = {inputs, *regions}
        assert len(names) == 4
        assert calls == [("SystemSharedMemoryRegister", name) for name in (inputs, *regions)]
        assert not any(request.raw_input_contents for request in requests)
    assert {name for rpc, name in calls[4:] if rpc == "SystemSharedMemoryUnregister"} == names
    assert not any((FOLDER / name).exists() for name in names)


def test_nothing_is_left_of_regions_that_a_server_refuses() -> None:
    class Refused(Exception):
        pass

    asked = []

    def run(call: Call[Any]) -> None:
        asked.append(call.request.name)
        if len(asked) == 3:
            raise Refused

    with pytest.raises(Refused), in_shared_memory(run, REQUEST, OUTPUTS, 3):
        pass
    assert asked[3:] == [asked[1], asked[0]]
    assert not any((FOLDER / name).exists() for name in asked)


def test_there_are_no_more_regions_than_servers_have() -> None:
    calls = Calls()
    with in_shared_memory(calls.run, REQUEST, OUTPUTS, 1000) as requests:
        assert len(requests) == 64
