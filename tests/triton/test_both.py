"""One and the same: what a real Triton answers with our plug-in, and what ovserve answers."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import ml_dtypes
import numpy as np
import openvino as ov
import pytest
import tritonclient.grpc as triton
from tritonclient.grpc import service_pb2 as pb

import small_models
from triton_server import Served
from wire_server import INDISCREET, Wire, add_raw, request

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
INTERNAL = grpc.StatusCode.INTERNAL

COUNTS = {"people1.jpeg": "10", "people2.jpeg": "2", "people3.jpeg": "3", "people4.jpeg": "2"}
TWO = np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.float32)


def infer(served: Served, model: str, arrays: dict[str, np.ndarray], *outputs: str) -> dict[str, np.ndarray]:
    with triton.InferenceServerClient(served.address_of(model)) as client:
        answer = client.infer(
            model,
            [tensor(name, array) for name, array in arrays.items()],
            outputs=[triton.InferRequestedOutput(name) for name in outputs] or None,
            client_timeout=60,
        )
    return {output.name: answer.as_numpy(output.name) for output in answer.get_response().outputs}


def tensor(name: str, array: np.ndarray) -> triton.InferInput:
    made = triton.InferInput(name, list(array.shape), triton_type(array.dtype))
    made.set_data_from_numpy(array)
    return made


def triton_type(dtype: np.dtype) -> str:
    names = {small_models.KSERVE[kind]: value_type(kind) for kind in small_models.ALL}
    return next(name for name, its in names.items() if its == dtype)


def value_type(kind: str) -> np.dtype:
    if kind in ("string", "bf16"):
        return np.dtype(object if kind == "string" else ml_dtypes.bfloat16)
    return np.dtype(getattr(ov.Type, kind).to_dtype())


def values(kind: str, count: int) -> np.ndarray:
    if kind == "string":
        return np.array([b"", b"\xff\0", b"plain"][:count], object)
    return np.arange(count).astype(value_type(kind))


METADATA = {
    "dyn": (
        {"a": ("FP32", [-1, 4]), "b": ("FP32", [-1, 4])},
        {"sum": ("FP32", [-1, 4]), "difference": ("FP32", [-1, 4])},
    ),
    "ranged": ({"x": ("FP32", [1, 3, -1, -1])}, {"y": ("FP32", [1, 1, -1, -1])}),
    "nhwc": ({"x": ("FP32", [1, 8, 8, 3])}, {"y": ("FP32", [1, 1, 8, 8])}),
    "batched": ({"x": ("FP32", [-1, 3])}, {"y": ("FP32", [-1, 3])}),
    "twins": ({"x": ("FP32", [-1])}, {"y": ("FP32", [-1])}),
    "bare": ({"x": ("FP32", [-1, 3])}, {"y": ("FP32", [-1, 3])}),
    "types": ({kind: (small_models.KSERVE[kind], [-1]) for kind in small_models.ALL},) * 2,
}


@pytest.mark.parametrize("model", METADATA)
def test_metadata_tells_names_datatypes_and_whole_shapes(served: Served, model: str) -> None:
    with triton.InferenceServerClient(served.address_of(model)) as client:
        assert client.is_model_ready(model)
        metadata = client.get_model_metadata(model)
    found = tuple(
        {one.name: (one.datatype, list(one.shape)) for one in side} for side in (metadata.inputs, metadata.outputs)
    )
    assert found == METADATA[model]
    assert list(metadata.versions) == ["1"]


@pytest.mark.parametrize("model", ["dyn", "nhwc", "types", "bare"])
def test_the_configuration_is_completed_from_the_model(served: Served, model: str) -> None:
    with triton.InferenceServerClient(served.address_of(model)) as client:
        config = client.get_model_config(model).config
    inputs, outputs = METADATA[model]
    assert config.max_batch_size == 0
    assert {one.name: list(one.dims) for one in config.input} == {name: shape for name, (_, shape) in inputs.items()}
    assert {one.name: list(one.dims) for one in config.output} == {name: shape for name, (_, shape) in outputs.items()}


@pytest.mark.parametrize("count", [3, 1, 0])
def test_every_datatype_comes_back_bit_for_bit(served: Served, count: int) -> None:
    sent = {kind: values(kind, count) for kind in small_models.ALL}
    got = infer(served, "types", sent)
    assert list(got) == list(small_models.ALL)
    for kind, array in sent.items():
        assert (got[kind].dtype, got[kind].shape) == (array.dtype, array.shape), kind
        assert got[kind].tolist() == array.tolist(), kind


def test_only_the_outputs_asked_for_come_in_the_models_order(served: Served) -> None:
    sent = {kind: values(kind, 2) for kind in small_models.ALL}
    assert list(infer(served, "types", sent, "string", "bf16", "boolean")) == ["boolean", "bf16", "string"]


def test_a_scalar_travels_as_triton_can_carry_it(served: Served) -> None:
    shape = (1,) if served.by == "triton" else ()
    got = infer(served, "scalar", {"x": np.full(shape, 2, np.float32)})["y"]
    assert (got.shape, got.tolist()) == (shape, np.full(shape, 3).tolist())


@pytest.mark.parametrize("rows", [1, 2, 7, 0])
def test_a_dynamic_dimension_takes_any_length(served: Served, rows: int) -> None:
    a, b = np.full((rows, 4), 5, np.float32), np.full((rows, 4), 3, np.float32)
    got = infer(served, "dyn", {"a": a, "b": b})
    assert (got["sum"].shape, got["difference"].shape) == ((rows, 4),) * 2
    assert (got["sum"] == 8).all()
    assert (got["difference"] == 2).all()


@pytest.mark.parametrize("size", [(2, 1), (9, 30), (5, 5)])
def test_a_range_takes_what_is_inside(served: Served, size: tuple[int, int]) -> None:
    got = infer(served, "ranged", {"x": np.ones((1, 3, *size), np.float32)})["y"]
    assert got.shape == (1, 1, *size)
    assert (got == 3).all()


def test_a_shape_per_input_holds(served: Served) -> None:
    got = infer(served, "each", {"a": TWO, "b": TWO[:1]})["sum"]
    assert got.tolist() == (TWO + TWO[:1]).tolist()


def test_a_layout_converts_what_clients_send(served: Served) -> None:
    picture = np.arange(192, dtype=np.float32).reshape(1, 8, 8, 3)
    got = infer(served, "nhwc", {"x": picture})["y"]
    assert got.tolist() == picture.sum(3)[:, None].tolist()


@pytest.mark.parametrize("rows", [1, 3, 4])
def test_a_batch_up_to_the_limit_is_taken(served: Served, rows: int) -> None:
    assert infer(served, "batched", {"x": np.ones((rows, 3), np.float32)})["y"].tolist() == [[2, 2, 2]] * rows


@pytest.mark.shared
@pytest.mark.parametrize(("width", "height"), [(500, 500), (600, 400)])
def test_auto_finds_the_faces_at_both_sizes(
    served: Served, shared: Path, tmp_path: Path, width: int, height: int
) -> None:
    command = [sys.executable, "-m", "ovclient", "face-detection", "--model_name", "faces"]
    command += ["--grpc_port", served.address_of("faces").rpartition(":")[2], "--output_dir", str(tmp_path / "out")]
    command += ["--width", str(width), "--height", str(height), "--input_images_dir", str(shared / "images/people")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    lines = (line.split(": ") for line in done.stdout.splitlines() if line.endswith((" face", " faces")))
    assert {name: count.split()[0] for name, count in lines} == COUNTS


def test_two_instances_answer_right(served: Served) -> None:
    def ask(number: int) -> list[float]:
        return infer(served, "twins", {"x": np.full(3, number, np.float32)})["y"].tolist()

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(ask, range(20))) == [[number + 1] * 3 for number in range(20)]


def test_a_quick_request_overtakes_a_slow_one(served: Served) -> None:
    wire = Wire(served.address_of("slow"))
    assert any(overtaken(wire, rounds, (1,) if served.by == "triton" else ()) for rounds in (500, 2000, 8000))
    wire.close()


def overtaken(wire: Wire, rounds: int, shape: tuple[int, ...]) -> bool:
    """Whether a request of one round that is sent after one of so many `rounds` is answered before it.

    On a machine that has no time for us the quick one may be late; then the slow one has to be slower.
    """
    slow, quick = (request("slow", {"n": np.full(shape, count, np.int64)}) for count in (rounds, 1))
    assert wire.infer(quick).code is grpc.StatusCode.OK  # the connection stands
    first = wire.future("ModelInfer", slow)
    assert wire.infer(quick).code is grpc.StatusCode.OK
    before = not first.done()
    assert first.code() is grpc.StatusCode.OK
    return before


ROWS: list[object] = []


def row(status: grpc.StatusCode, *fragments: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """What is changed in a good request to `dyn`, the status, and what the sentence must name."""

    def register(change: Callable[..., None]) -> Callable[..., None]:
        ROWS.append(pytest.param(change, status, fragments, id=change.__name__))
        return change

    return register


@row(NOT_FOUND, "nope")
def unknown_model(message: pb.ModelInferRequest) -> None:
    message.model_name = "nope"


@row(NOT_FOUND, "dyn", "version 9")
def unknown_version(message: pb.ModelInferRequest) -> None:
    message.model_version = "9"


@row(INVALID, "abc")
def malformed_version(message: pb.ModelInferRequest) -> None:
    message.model_version = "abc"


@row(INVALID, "dyn", "zz")
def wrong_input_name(message: pb.ModelInferRequest) -> None:
    message.inputs[1].name = "zz"


@row(INVALID, "dyn", "'b'")
def missing_input(message: pb.ModelInferRequest) -> None:
    del message.inputs[1], message.raw_input_contents[1]


@row(INVALID, "dyn", "3")
def extra_input(message: pb.ModelInferRequest) -> None:
    add_raw(message, "c", TWO)


@row(INVALID, "'a'")
def duplicate_input(message: pb.ModelInferRequest) -> None:
    add_raw(message, "a", TWO)


@row(INVALID, "dyn", "Expected", "-1,4", "2,3")
def wrong_dimension(message: pb.ModelInferRequest) -> None:
    change_a(message, TWO[:, :3])


@row(INVALID, "dyn", "Expected", "-1,4", "8")
def wrong_rank(message: pb.ModelInferRequest) -> None:
    change_a(message, TWO.ravel())


@row(INVALID, "dyn", "'a'", "FP64", "FP32")
def wrong_datatype(message: pb.ModelInferRequest) -> None:
    change_a(message, TWO.astype(np.float64))


@row(INVALID, "'a'", "32", "28")
def content_too_short(message: pb.ModelInferRequest) -> None:
    message.raw_input_contents[0] = message.raw_input_contents[0][:-4]


@row(INVALID, "dyn", "zz")
def unknown_output(message: pb.ModelInferRequest) -> None:
    message.outputs.add(name="zz")


@row(INTERNAL, "model 'dyn' version 1: ", "mismatch")
def rows_that_do_not_go_together(message: pb.ModelInferRequest) -> None:
    change_a(message, np.ones((3, 4), np.float32))


def change_a(message: pb.ModelInferRequest, array: np.ndarray) -> None:
    changed = request("", {"a": array})
    message.inputs[0].CopyFrom(changed.inputs[0])
    message.raw_input_contents[0] = changed.raw_input_contents[0]


@pytest.mark.parametrize(("change", "status", "fragments"), ROWS)
def test_a_wrong_request_gets_tritons_code(
    served: Served, change: Callable[[pb.ModelInferRequest], None], status: grpc.StatusCode, fragments: tuple[str, ...]
) -> None:
    message = request("dyn", {"a": TWO, "b": TWO + 1}, id="r7")
    change(message)
    wire = Wire(served.address_of("dyn"))
    answer = wire.infer(message)
    assert answer.code is status, answer.details
    assert [fragment for fragment in fragments if fragment not in answer.details] == [], answer.details
    assert not INDISCREET.search(answer.details)
    wire.close()


@pytest.mark.parametrize(
    ("model", "array"),
    [
        ("ranged", np.ones((1, 3, 10, 5), np.float32)),
        ("ranged", np.ones((1, 3, 1, 5), np.float32)),
        ("batched", np.ones((5, 3), np.float32)),
        ("nhwc", np.ones((1, 3, 8, 8), np.float32)),
    ],
    ids=["above the range", "below the range", "above the batch", "another layout"],
)
def test_a_shape_the_model_does_not_take_is_refused(served: Served, model: str, array: np.ndarray) -> None:
    wire = Wire(served.address_of(model))
    answer = wire.infer(request(model, {"x": array}))
    assert answer.code is INVALID, answer.details
    assert model in answer.details
    wire.close()


def test_a_bad_request_among_good_ones_fails_alone(served: Served) -> None:
    wire = Wire(served.address_of("dyn"))
    sent = [(TWO[: 1 + number % 2], TWO) for number in range(12)]  # [1,4] + [2,4] broadcasts
    sent[4] = sent[7] = (np.ones((3, 4), np.float32), TWO)
    calls = [wire.future("ModelInfer", request("dyn", {"a": a, "b": b})) for a, b in sent]
    codes = [call.code() for call in calls]
    assert [index for index, code in enumerate(codes) if code is not grpc.StatusCode.OK] == [4, 7]
    assert {codes[4], codes[7]} == {INTERNAL}
    wire.close()
