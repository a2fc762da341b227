"""A Python model behind the same door as every other."""

import threading
from pathlib import Path

import numpy as np
import pytest

from encoded_pictures import noise, png
from ovserve.config.declared import TritonConfig
from ovserve.config.model import ModelConfig
from ovserve.engine.python_backend.load_python import load_python
from ovserve.errors import InferenceFailed, WrongDatatype, WrongShape, WrongTensors
from ovserve.requests import InferRequest, Patient
from ovserve.serving.python import PythonServable
from ovserve.tensors import BY_KSERVE, Array, Tensor

SOURCE = """
import pathlib
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    @staticmethod
    def auto_complete_config(config):
        for name, optional in (("x", False), ("w", True)):
            config.add_input({"name": name, "data_type": "TYPE_FP32", "dims": [-1], "optional": optional})
        config.add_output({"name": "y", "data_type": "TYPE_FP32", "dims": [-1]})
        return config

    def execute(self, requests):
        found = {tensor.name(): tensor.as_numpy() for tensor in requests[0].inputs()}
        if found["x"][0] < 0:
            raise ValueError("negative")
        return [pb_utils.InferenceResponse([pb_utils.Tensor("y", sum(found.values()))])]

    def finalize(self):
        pathlib.Path(__file__).with_name("finalized").touch()
"""


@pytest.fixture
def served(tmp_path: Path) -> PythonServable:
    (tmp_path / "model.py").write_text(SOURCE)
    config = ModelConfig(name="m", base_path=tmp_path)
    loaded = load_python(tmp_path / "model.py", TritonConfig("m"), name="m", version=1)
    return PythonServable(config, 1, [loaded])


def ask(served: PythonServable, datatype: str = "FP32", **values: object) -> Array:
    dtype = BY_KSERVE[datatype]
    inputs = {name: Tensor(dtype, np.array(value, dtype.numpy)) for name, value in values.items()}
    return served.infer(InferRequest("m", inputs), Patient()).outputs["y"].data


def test_it_answers_with_or_without_what_is_optional(served: PythonServable) -> None:
    assert ask(served, x=[1]).tolist() == [1]
    assert ask(served, x=[1], w=[2]).tolist() == [3]


def test_it_says_what_does_not_fit(served: PythonServable) -> None:
    with pytest.raises(WrongTensors, match=r"^model 'm' version 1 expects 2 inputs 'x', 'w', got 1: missing 'x'$"):
        ask(served, w=[1])
    with pytest.raises(WrongTensors, match="unexpected 'q'"):
        ask(served, x=[1], q=[1])
    with pytest.raises(WrongDatatype, match=r"^model 'm' version 1: input 'x' expects datatype FP32, got INT8"):
        ask(served, "INT8", x=[1])
    with pytest.raises(WrongShape, match=r"Expected: \(-1\)"):
        ask(served, x=[[1]])


def test_pictures_are_not_decoded_for_it(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(SOURCE.replace('"dims": [-1], "optional"', '"dims": [-1, 4, 4, 3], "optional"'))
    loaded = load_python(tmp_path / "model.py", TritonConfig("m"), name="m", version=1)
    served = PythonServable(ModelConfig(name="m", base_path=tmp_path), 1, [loaded])
    sentence = (
        r"^model 'm' version 1: input 'x' expects datatype FP32, got BYTES; images are not decoded for a Python model, "
        r"which gets the files where it declares TYPE_STRING$"
    )
    with pytest.raises(WrongDatatype, match=sentence):
        ask(served, "BYTES", x=[png(noise(4, 4))])


def test_it_gets_files_as_they_are_where_it_declares_strings(tmp_path: Path) -> None:
    text = SOURCE.replace("TYPE_FP32", "TYPE_STRING").replace('found["x"][0] < 0', "False").replace("sum(", "min(")
    (tmp_path / "model.py").write_text(text)
    loaded = load_python(tmp_path / "model.py", TritonConfig("m"), name="m", version=1)
    served = PythonServable(ModelConfig(name="m", base_path=tmp_path), 1, [loaded])
    assert ask(served, "BYTES", x=[png(noise(4, 4))]).tolist() == [png(noise(4, 4))]


def test_its_failure_is_told_once_with_its_name(served: PythonServable) -> None:
    with pytest.raises(InferenceFailed, match=r"^model 'm' version 1: execute failed: ValueError: negative$"):
        ask(served, x=[-1])


def test_requests_take_turns(served: PythonServable) -> None:
    answers: list[list[float]] = []
    threads = [threading.Thread(target=lambda: answers.append(ask(served, x=[1]).tolist())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [[1]] * 8


def test_it_finalizes_when_nobody_has_it_any_more(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(SOURCE)
    config = ModelConfig(name="m", base_path=tmp_path)
    served = [PythonServable(config, 1, [load_python(tmp_path / "model.py", TritonConfig("m"), name="m", version=1)])]
    leased = served[0]
    served.clear()
    assert ask(leased, x=[1]).tolist() == [1]
    assert not (tmp_path / "finalized").exists()
    del leased
    assert (tmp_path / "finalized").exists()
