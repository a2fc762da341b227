import logging
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

import ovserve
import small_models
from ovserve.errors import CannotStart, InvalidInput, NotFound, WrongDatatype, WrongTensors
from ovserve.seeing import request_log


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> ovserve.InProcess:
    root = tmp_path_factory.mktemp("models")
    small_models.save(small_models.add_one([-1, 2]), root / "add_one" / "1")
    small_models.save(small_models.add_sub([2]), root / "add_sub" / "1")
    small_models.save(small_models.pass_through("string", [-1]), root / "strings" / "1")
    small_models.save(small_models.pass_through("bf16", [-1]), root / "halves" / "1")
    (root / "broken" / "1").mkdir(parents=True)
    return ovserve.load(model_repository=root)


def test_arrays_go_in_and_come_out_by_name(models: ovserve.InProcess) -> None:
    out = models.infer("add_sub", {"a": np.ones(2, np.float32), "b": np.full(2, 3, np.float32)})
    assert {name: array.tolist() for name, array in out.items()} == {"sum": [4, 4], "difference": [-2, -2]}


def test_a_bare_array_is_the_only_input(models: ovserve.InProcess) -> None:
    assert models.infer("add_one", np.zeros((1, 2), np.float32))["y"].tolist() == [[1, 1]]


def test_a_bare_array_for_two_inputs_names_them(models: ovserve.InProcess) -> None:
    with pytest.raises(WrongTensors, match="model 'add_sub' has the inputs 'a', 'b': give arrays by name"):
        models.infer("add_sub", np.zeros(2, np.float32))


def test_only_the_outputs_asked_for_come_back(models: ovserve.InProcess) -> None:
    zeros = np.zeros(2, np.float32)
    assert list(models.infer("add_sub", {"a": zeros, "b": zeros}, outputs=["sum"])) == ["sum"]


def test_strings_are_bytes_or_str(models: ovserve.InProcess) -> None:
    assert models.infer("strings", np.array(["ä", b"\xff\0"], object))["x"].tolist() == ["ä".encode(), b"\xff\0"]


def test_a_list_of_bytes_keeps_zeros_at_their_end(models: ovserve.InProcess) -> None:
    assert models.infer("strings", [b"a\0", b"longer\0\0"])["x"].tolist() == [b"a\0", b"longer\0\0"]


def test_something_else_among_strings_is_refused(models: ovserve.InProcess) -> None:
    with pytest.raises(InvalidInput, match="input 'x' expects bytes or str, got int"):
        models.infer("strings", np.array(["a", 7], object))


def test_bf16_travels_as_uint16(models: ovserve.InProcess) -> None:
    assert models.infer("halves", np.array([0x3F80], np.uint16))["x"].tolist() == [0x3F80]


def test_a_wrong_dtype_names_both(models: ovserve.InProcess) -> None:
    with pytest.raises(WrongDatatype, match="model 'add_one' version 1: input 'x' expects datatype FP32, got FP64"):
        models.infer("add_one", np.zeros((1, 2)))


def test_a_dtype_outside_the_protocol_is_refused(models: ovserve.InProcess) -> None:
    with pytest.raises(InvalidInput, match="numpy dtype complex128"):
        models.infer("add_one", np.zeros((1, 2), complex))


def test_a_model_that_failed_says_why_when_it_is_used(models: ovserve.InProcess) -> None:
    with pytest.raises(NotFound, match="model 'broken' is not available: version 1: no model file found"):
        models.infer("broken", np.zeros(1, np.float32))


def test_nothing_to_serve_says_why(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="no model can be served: m: the folder does not exist"):
        ovserve.load(model_name="m", model_path=tmp_path / "nope")


def test_a_wrong_setting_is_named() -> None:
    with pytest.raises(ValidationError, match="modle_path"):
        ovserve.load(model_name="m", modle_path="x")


def test_loading_writes_warnings_to_the_processs_own_logging(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    small_models.save(small_models.add_one([1], "i64"), tmp_path / "m" / "1")
    with caplog.at_level(logging.WARNING, "ovserve"):
        ovserve.load(model_repository=tmp_path)
    assert "input 'x' is i64, but the device computes it as i32" in caplog.text


def test_requests_are_logged_where_they_are_asked_to_be(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    small_models.save(small_models.add_one([-1, 2]), tmp_path / "m/1")
    loaded = ovserve.load(model_repository=tmp_path, log_requests=True)
    try:
        loaded.infer("m", np.zeros((1, 2), np.float32))
        with pytest.raises(WrongTensors):
            loaded.infer("m", {})
    finally:
        request_log.switch(on=False)
    loaded.infer("m", np.zeros((1, 2), np.float32))
    lines = [record.__dict__["fields"] for record in caplog.records if record.name == "ovserve.request"]
    assert [(line["interface"], line["model"], line["version"], line["code"]) for line in lines] == [
        ("in-process", "m", 1, "OK"),
        ("in-process", "m", 1, "INVALID"),
    ]
