"""How soon a request is refused when slots and queue are full, and how soon a probe answers meanwhile.

    python tests/perf/refusal.py [refusals]

Serves a slow model with two slots and a queue of 200, fills both, and prints medians, quartiles and maxima in ms.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import grpc
import numpy as np
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc as pb_grpc

import small_models
from ovserve.bench.cells import ratio
from ovserve.bench.summary import spread
from server_process import ServerProcess

SLOTS, QUEUE = 2, 200


def rounds(count: int) -> pb.ModelInferRequest:
    request = pb.ModelInferRequest(model_name="slow")
    request.inputs.add(name="n", datatype="INT64", shape=[])
    request.raw_input_contents.append(np.int64(count).tobytes())
    return request


def timed(call: Callable[[], object], count: int) -> list[float]:
    times_ms = []
    for _ in range(count):
        started = time.perf_counter()
        call()
        times_ms.append(1000 * (time.perf_counter() - started))
    return times_ms


def print_times(what: str, times_ms: list[float]) -> None:
    print(f"{what}: median {ratio(spread(times_ms))} ms, longest {max(times_ms):.2f} ms, {len(times_ms)} times")


def main(count: int = 200) -> None:
    with tempfile.TemporaryDirectory() as folder:
        small_models.save(small_models.slow(), Path(folder) / "slow" / "1")
        server = ServerProcess("--model_repository", folder, "--nireq", str(SLOTS), "--max_queue", str(QUEUE))
        with grpc.insecure_channel(server.address) as channel:
            stub = pb_grpc.GRPCInferenceServiceStub(channel)
            held = [stub.ModelInfer.future(rounds(40_000)) for _ in range(SLOTS + QUEUE)]

            def refused() -> bool:
                try:
                    stub.ModelInfer(rounds(1), timeout=1)
                except grpc.RpcError as error:
                    return error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
                return False

            while not refused():
                pass
            outcomes: list[bool] = []
            print_times("refused", timed(lambda: outcomes.append(refused()), count))
            print_times("ServerReady", timed(lambda: stub.ServerReady(pb.ServerReadyRequest()), count))
            print(
                f"refused {sum(outcomes)} of {len(outcomes)}; the {SLOTS + QUEUE} held: {sum(c.done() for c in held)} done"
            )
            for call in held:
                call.cancel()
        server.process.kill()
        server.stop()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
