"""What log lines and spans cost a request: `python tests/perf/seeing.py` (a minute of a quiet machine).

A tiny model over gRPC, one client, servers side by side asked in turns; the median of each, in microseconds. With
BASE, the folder `backend` of another checkout, that one's server is among them.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import grpc
import numpy as np
from tritonclient.grpc import service_pb2_grpc as pb_grpc

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import small_models
from server_process import ServerProcess
from span_collector import SpanCollector
from wire_server import request

ROUNDS, REQUESTS = 40, 250


def main() -> None:
    collector = SpanCollector()
    with tempfile.TemporaryDirectory() as folder:
        small_models.save(small_models.add_one([-1, 2]), Path(folder) / "m/1")
        served = ("--model_repository", folder, "--model_control_mode", "none")
        servers = {
            "off": ServerProcess(*served),
            "--log_requests": ServerProcess(*served, "--log_requests"),
            "--log_requests --log_format json": ServerProcess(*served, "--log_requests", "--log_format", "json"),
            "--otlp_endpoint": ServerProcess(*served, "--otlp_endpoint", collector.endpoint),
        }
        if base := os.environ.get("BASE"):
            servers["base"] = ServerProcess(*served, env={"PYTHONPATH": base})
        channels = {name: grpc.insecure_channel(server.address) for name, server in servers.items()}
        try:
            for name, median_us in measure(channels).items():
                print(f"{name}: {median_us:.0f} us")
        finally:
            for name, server in servers.items():
                channels[name].close()
                server.stop()
            collector.close()


def measure(channels: dict[str, grpc.Channel]) -> dict[str, float]:
    message = request("m", {"x": np.zeros((1, 2), np.float32)}, id="7")
    stubs = {name: pb_grpc.GRPCInferenceServiceStub(channel) for name, channel in channels.items()}
    took_us: dict[str, list[float]] = {name: [] for name in stubs}
    for turn in range(ROUNDS):
        for name, stub in stubs.items():
            for _ in range(REQUESTS):
                begun_s = time.perf_counter()
                stub.ModelInfer(message)
                if turn:  # the first one warms up
                    took_us[name].append((time.perf_counter() - begun_s) * 1e6)
    return {name: statistics.median(times) for name, times in took_us.items()}


if __name__ == "__main__":
    main()
