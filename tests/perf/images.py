"""What an image costs as a JPEG file, against the same as an array.

    python tests/perf/images.py [requests]

Serves a model that only looks at a few pixels of [1,300,300,3], as FP32 and as UINT8, and prints for each form the bytes of a
request, the time of one request after the other, and the CPU time of the server for each.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import cv2
import grpc
import numpy as np
import openvino as ov
from openvino import opset13 as ops
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc as pb_grpc

import small_models
from server_process import ServerProcess
from wire_server import add_raw, texts

SIZE = 300
ROUNDS = 5
PORTRAIT = Path(__file__).resolve().parents[2] / "client_sdk/ovclient/samples/portraits/astronaut.jpg"


def corner(kind: str) -> ov.Model:
    """`x` [1,300,300,3] -> `y`: one row of it."""
    x = small_models.parameter("x", [1, SIZE, SIZE, 3], kind)
    x.set_layout(ov.Layout("NHWC"))
    row = ops.gather(x, ops.constant(np.int64(0)), ops.constant(np.int64(1)))
    return ov.Model([small_models.named(row, "y")], [x], "corner")


def request(model: str, data: np.ndarray) -> pb.ModelInferRequest:
    message = pb.ModelInferRequest(model_name=model)
    add_raw(message, "x", data)
    return message


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(count: int = 1000) -> None:
    whole = cv2.imread(str(PORTRAIT))
    small = cv2.resize(whole, (SIZE, SIZE))
    file, large = (texts(cv2.imencode(".jpg", pixels)[1].tobytes()) for pixels in (small, whole))
    forms = {
        f"JPEG {SIZE}x{SIZE}": lambda _: file,
        "JPEG {}x{}, resized".format(*whole.shape[:2]): lambda _: large,
        "array": small[None].astype,
    }
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("u8", "f32"):
            small_models.save(corner(kind), Path(folder) / kind / "1")
        server = ServerProcess("--model_repository", folder)
        with grpc.insecure_channel(server.address) as channel:
            infer = pb_grpc.GRPCInferenceServiceStub(channel).ModelInfer
            for kind, dtype in (("u8", np.uint8), ("f32", np.float32)):
                figures: dict[str, list[tuple[float, float]]] = {form: [] for form in forms}
                messages = {form: request(kind, make(dtype)) for form, make in forms.items()}
                for _ in range(ROUNDS):  # in turn, since a machine is not equally fast all the time
                    for form, message in messages.items():
                        figures[form].append(measured(infer, message, server.process.pid, count // ROUNDS))
                for form, found in figures.items():
                    wall_ms, cpu_ms = (statistics.median(column) for column in zip(*found, strict=True))
                    print(
                        f"{kind} {form}: {messages[form].ByteSize()} bytes, {wall_ms:.2f} ms, server CPU {cpu_ms:.2f} ms"
                    )
        server.stop()


def measured(
    infer: grpc.UnaryUnaryMultiCallable, message: pb.ModelInferRequest, pid: int, count: int
) -> tuple[float, float]:
    infer(message)
    cpu, started = cpu_s(pid), time.perf_counter()
    for _ in range(count):
        infer(message)
    return 1000 * (time.perf_counter() - started) / count, 1000 * (cpu_s(pid) - cpu) / count


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
