"""No request ever sees another's data: not of the one before, not of the one beside, not of one that failed."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

import ovserve
import small_models
import wire_server
from server_process import ServerProcess
from wire_server import Wire, request, texts

OK = grpc.StatusCode.OK
INVALID = grpc.StatusCode.INVALID_ARGUMENT
COPIED_AT_MOST_BYTES = 64 * 1024  # up to here engine/slot.py copies an input, beyond it binds the message's bytes
SECRETS = texts(b"secret", b"hidden" * 20, b"x")


@pytest.fixture(scope="module", params=[{}, {"INFERENCE_NUM_THREADS": 1}], ids=["threads", "one-thread"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """More slots than streams; with one thread OpenVINO takes another way through an inference."""
    root = wire_server.lay_out(tmp_path_factory.mktemp("isolated"))
    config = str(request.param).replace("'", '"')
    server = ServerProcess("--model_repository", str(root), "--nireq", "3", "--plugin_config", config)
    yield server
    assert server.stop() == 0


def ask_many(server: ServerProcess, ask: Callable[[Wire, np.random.Generator], bool], rounds: int) -> None:
    """Let eight threads ask at once, each with numbers of its own; every answer must be right."""

    def one(seed: int) -> bool:
        wire, chance = Wire(server.address), np.random.default_rng(seed)
        try:
            return all(ask(wire, chance) for _ in range(rounds))
        finally:
            wire.close()

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(one, range(8)))


def length(chance: np.random.Generator, itemsize: int) -> int:
    """A length that jumps between tiny, just below, at and above the threshold, and far above."""
    border = COPIED_AT_MOST_BYTES // itemsize
    return int(
        chance.choice([0, 1, 7, border - 1, border, border + 1, border * 3, int(chance.integers(0, 2 * border))])
    )


def test_growing_and_shrinking_numbers_stay_apart(server: ServerProcess) -> None:
    def ask(wire: Wire, chance: np.random.Generator) -> bool:
        x = chance.random(length(chance, 4), np.float32)
        model, expected = ("grow", x + 1) if chance.random() < 0.5 else ("pass_f32", x)
        (y,) = wire.infer(request(model, {"x": x})).outputs.values()
        return np.array_equal(y, expected)

    ask_many(server, ask, rounds=60)


def test_growing_and_shrinking_bytes_stay_apart(server: ServerProcess) -> None:
    def ask(wire: Wire, chance: np.random.Generator) -> bool:
        x = chance.integers(0, 256, length(chance, 1), np.uint8)
        return np.array_equal(wire.infer(request("pass_u8", {"x": x})).outputs["x"], x)

    ask_many(server, ask, rounds=40)


def test_growing_and_shrinking_strings_stay_apart(server: ServerProcess) -> None:
    def ask(wire: Wire, chance: np.random.Generator) -> bool:
        longest = int(chance.choice([1, 100, 40_000]))
        x = texts(*(chance.bytes(int(size)) for size in chance.integers(0, longest, int(chance.integers(0, 9)))))
        return wire.infer(request("text", {"x": x})).outputs["x"].tolist() == x.tolist()

    ask_many(server, ask, rounds=40)


def test_two_inputs_of_which_one_is_copied_and_one_is_bound_stay_apart(server: ServerProcess) -> None:
    def ask(wire: Wire, chance: np.random.Generator) -> bool:
        rows = int(chance.choice([1, 2, 4096, 4097, 6000]))
        a = chance.random((rows, 4), np.float32)
        b = chance.random((int(chance.choice([1, rows])), 4), np.float32)  # one row counts for all
        outputs = wire.infer(request("dyn", {"a": a, "b": b})).outputs
        return np.array_equal(outputs["sum"], a + b) and np.array_equal(outputs["difference"], a - b)

    ask_many(server, ask, rounds=40)


def test_failures_between_good_requests_neither_take_nor_leave_anything(server: ServerProcess) -> None:
    def ask(wire: Wire, chance: np.random.Generator) -> bool:
        rows = int(chance.choice([2, 3, 5000]))
        a, b = chance.random((rows, 4), np.float32), chance.random((rows + 1, 4), np.float32)
        failed = wire.infer(request("dyn", {"a": a, "b": b}))
        good = wire.infer(request("dyn", {"a": a, "b": a})).outputs
        mismatch = "dim index: 0 mismatch" in failed.details
        return mismatch and failed.code is grpc.StatusCode.INTERNAL and np.array_equal(good["sum"], a + a)

    ask_many(server, ask, rounds=15)


EMPTY = texts()


@pytest.mark.parametrize(
    ("model", "before", "empty", "expected"),
    [
        ("text", {"x": SECRETS}, {"x": EMPTY}, {"x": (0,)}),
        ("grid", {"x": SECRETS.reshape(1, 3)}, {"x": EMPTY.reshape(0, 3)}, {"x": (0, 3)}),
        ("grid", {"x": SECRETS.reshape(3, 1)}, {"x": EMPTY.reshape(3, 0)}, {"x": (3, 0)}),
        ("texts", {"a": SECRETS, "b": SECRETS}, {"a": EMPTY, "b": EMPTY}, {"a": (0,), "b": (0,)}),
        ("labels", {"index": np.array([1, 2])}, {"index": np.array([], np.int64)}, {"label": (0,)}),
        ("chosen", {"x": np.float32([1, 1])}, {"x": np.float32([-1, -1])}, {"label": (0,)}),
        ("chosen", {"x": np.float32([1, 1])}, {"x": np.float32([])}, {"label": (0,)}),
        ("sums", {"x": np.ones((3, 2), np.float32)}, {"x": np.ones((3, 0), np.float32)}, {"y": (0,)}),
        ("pass_i64", {"x": np.arange(9)}, {"x": np.array([], np.int64)}, {"x": (0,)}),
    ],
)
def test_nothing_of_the_request_before_is_in_an_empty_answer(
    server: ServerProcess,
    model: str,
    before: dict[str, np.ndarray],
    empty: dict[str, np.ndarray],
    expected: dict[str, tuple[int, ...]],
) -> None:
    wire = Wire(server.address)
    for _ in range(6):  # twice the number of slots
        assert wire.infer(request(model, before)).code is OK
    for _ in range(6):
        outputs = wire.infer(request(model, empty)).outputs
        assert {name: output.shape for name, output in outputs.items()} == expected
    wire.close()


def test_of_two_string_inputs_one_may_be_empty_without_a_trace_of_the_request_before(server: ServerProcess) -> None:
    wire = Wire(server.address)
    for _ in range(6):
        wire.infer(request("texts", {"a": SECRETS, "b": SECRETS}))
    for _ in range(6):
        answer = wire.infer(request("texts", {"a": EMPTY, "b": texts(b"mine")}))
        if answer.code is OK:
            assert {name: output.tolist() for name, output in answer.outputs.items()} == {"a": [], "b": [b"mine"]}
        else:
            assert answer.code is INVALID
            assert "the request holds no strings, from which output 'b' cannot be computed" in answer.details
    wire.close()


def test_the_names_picked_are_this_requests_own(server: ServerProcess) -> None:
    names = np.array([b"zero", b"one", b"two"], object)

    def ask(wire: Wire, chance: np.random.Generator) -> bool:
        index = chance.integers(0, 3, int(chance.integers(0, 6)))
        mask = chance.random(3, np.float32) - np.float32(0.5)
        labels = wire.infer(request("labels", {"index": index})).outputs["label"].tolist()
        chosen = wire.infer(request("chosen", {"x": mask})).outputs["label"].tolist()
        return labels == names[index].tolist() and chosen == names[mask > 0].tolist()

    ask_many(server, ask, rounds=25)


# In process the caller's own arrays are at stake.


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> ovserve.InProcess:
    root = wire_server.lay_out(tmp_path_factory.mktemp("inside"))
    for name, layer in {"relu": ops.relu, "negative": ops.negative, "reshape": flattened}.items():
        x = small_models.parameter("x", [-1, -1])
        small_models.save(ov.Model([small_models.named(layer(x), "y")], [x], name), root / name / "1")
    return ovserve.load(model_repository=root, log_level="ERROR", nireq=2)


def flattened(x: ov.Node) -> ov.Node:
    return ops.reshape(x, ops.constant(np.array([-1])), special_zero=False)


@pytest.mark.parametrize("rows", [3, 300])
@pytest.mark.parametrize("model", ["relu", "negative", "reshape"])
def test_the_callers_array_stays_as_it_was(models: ovserve.InProcess, model: str, rows: int) -> None:
    x = np.linspace(-1, 1, rows * 100, dtype=np.float32).reshape(rows, 100)
    before = x.copy()
    y = models.infer(model, x)["y"]
    assert (x == before).all()
    y[:] = 7
    assert (x == before).all()


@pytest.mark.parametrize("rows", [3, 300])
def test_an_answer_stays_as_it_was_when_the_slot_works_on(models: ovserve.InProcess, rows: int) -> None:
    x = np.arange(rows * 100, dtype=np.float32)
    answers = [models.infer("pass_f32", x + n)["x"] for n in range(6)]
    assert all((y == x + n).all() for n, y in enumerate(answers))


def test_arrays_that_do_not_lie_in_a_row_are_read_right(models: ovserve.InProcess) -> None:
    x = np.arange(1 << 18, dtype=np.float32).reshape(512, 512)
    for view in (x.T, x[::2], x[:, ::-1], x[::-3, 1::2]):
        assert (models.infer("relu", view)["y"] == view).all()


def test_a_large_array_is_let_go_after_the_answer(models: ovserve.InProcess) -> None:
    x = np.zeros(1 << 18, np.float32)
    before = sys.getrefcount(x)
    for _ in range(4):
        models.infer("pass_f32", x)
    assert sys.getrefcount(x) == before


def test_a_large_array_is_let_go_after_a_failure(models: ovserve.InProcess) -> None:
    x = np.zeros((1 << 16, 4), np.float32)
    before = sys.getrefcount(x)
    for _ in range(4):
        with pytest.raises(Exception, match="mismatch"):
            models.infer("dyn", {"a": x, "b": x[:-1]})
    assert sys.getrefcount(x) == before


def test_one_array_may_be_both_inputs(models: ovserve.InProcess) -> None:
    x = np.ones((1 << 15, 4), np.float32)
    outputs = models.infer("dyn", {"a": x, "b": x})
    assert (outputs["sum"] == 2).all()
    assert not outputs["difference"].any()


def test_large_strings_in_process_come_back_exact(models: ovserve.InProcess) -> None:
    chance = np.random.default_rng(3)
    for _ in range(20):
        x = texts(*(chance.bytes(1000) for _ in range(int(chance.integers(0, 500)))))
        assert models.infer("text", x)["x"].tolist() == x.tolist()


def test_a_message_of_read_only_bytes_is_not_written_to(models: ovserve.InProcess) -> None:
    data = np.linspace(-1, 1, 1 << 16, dtype=np.float32).tobytes()
    before = bytes(bytearray(data))
    models.infer("relu", np.frombuffer(data, np.float32).reshape(256, 256))
    assert data == before


def test_the_repository_lies_where_no_answer_tells(tmp_path: Path, serve: Callable[..., ServerProcess]) -> None:
    root = tmp_path / "with a space"
    small_models.save(small_models.add_one([2]), root / "good/1")
    for name, suffix in (("onnx", ".onnx"), ("tflite", ".tflite"), ("ir", ".xml")):
        (root / name / "1").mkdir(parents=True)
        (root / name / "1" / f"model{suffix}").write_bytes(b"nonsense")
    (root / "ir/1/model.bin").touch()
    wire = Wire(serve("--model_repository", str(root)).address)
    for name in ("onnx", "tflite", "ir"):
        refusal = wire.infer(request(name, {}))
        assert refusal.code is grpc.StatusCode.NOT_FOUND
        assert f"model '{name}' is not available" in refusal.details
        assert not any(part in refusal.details for part in ("with a space", tmp_path.name, "/"))
    wire.close()
