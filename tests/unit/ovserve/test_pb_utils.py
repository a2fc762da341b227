"""What a Python model finds as `triton_python_backend_utils`."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ovserve.engine.python_backend import pb_utils
from ovserve.engine.python_backend.auto_complete import ModelConfig
from ovserve.engine.python_backend.pb_tensor import received
from ovserve.errors import Unsupported
from ovserve.tensors import DType
from python_models import answer, load, run, source, tensor

MISSING = ("load_model", "unload_model")


def told(folder: Path, expression: str) -> Any:
    """What an expression is inside execute, as JSON."""
    array = f"np.array([json.dumps({expression})], dtype=object)"
    execute = f'request, = requests\nreturn [pb_utils.InferenceResponse([pb_utils.Tensor("y", {array})])]'
    model = load(folder, source(execute, top="import json", kind="STRING"), name="m", version=3)
    (text,) = run(model, {"x": tensor([b""], "BYTES")}, None, "request 7")["y"].data
    return json.loads(text)


def test_a_request_says_what_it_is(tmp_path: Path) -> None:
    asked = (
        "request_id",
        "model_name",
        "model_version",
        "correlation_id",
        "flags",
        "timeout",
        "parameters",
        "is_cancelled",
    )
    said = told(tmp_path, "[" + ", ".join(f"request.{name}()" for name in asked) + "]")
    assert said == ["request 7", "m", 3, 0, 0, 0, "{}", False]


def test_a_tensor_says_what_it_is(tmp_path: Path) -> None:
    assert told(tmp_path, "[(t.name(), t.triton_dtype(), t.is_cpu()) for t in request.inputs()]") == [["x", 13, True]]


def test_each_datatype_has_tritons_number() -> None:
    numbers = [received("x", tensor([0], dtype.kserve)).triton_dtype() for dtype in DType if dtype is not DType.BF16]
    assert numbers == list(range(1, 14))
    assert received("x", tensor([0], "BF16")).triton_dtype() == 14


def test_a_tensor_that_is_not_there_is_none(tmp_path: Path) -> None:
    assert told(tmp_path, "pb_utils.get_input_tensor_by_name(request, 'q')") is None


def test_the_models_folder_is_the_files(tmp_path: Path) -> None:
    assert told(tmp_path, "pb_utils.get_model_dir()") == str(tmp_path)


@pytest.mark.parametrize("name", MISSING)
def test_what_is_not_there_yet_says_so(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        Unsupported, match=f"model 'm' version 1: execute failed: {name} is not supported by this server yet"
    ):
        answer(load(tmp_path, source(f"pb_utils.{name}('x')")))


def test_it_is_found_at_run_time_too(tmp_path: Path) -> None:
    execute = """
        from triton_python_backend_utils import InferenceResponse, Tensor
        import triton_python_backend_utils
        assert triton_python_backend_utils is pb_utils
        return [InferenceResponse([Tensor("y", np.ones(1, np.float32))])]
    """
    assert answer(load(tmp_path, source(execute))).tolist() == [1]


def test_log_lines_go_to_the_servers_log_with_the_models_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    logs = "\n".join(f"pb_utils.Logger.log_{kind}('{kind}')" for kind in ("verbose", "info", "warn", "error"))
    logs += "\npb_utils.Logger.log('plain')\npb_utils.Logger.log('loud', pb_utils.Logger.ERROR)"
    with caplog.at_level(logging.DEBUG, "ovserve"):
        load(tmp_path, source(top=logs), name="talker")
    lines = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert lines == [
        ("DEBUG", "verbose model=talker"),
        ("INFO", "info model=talker"),
        ("WARNING", "warn model=talker"),
        ("ERROR", "error model=talker"),
        ("INFO", "plain model=talker"),
        ("ERROR", "loud model=talker"),
    ]


def test_texts_go_into_bytes_and_come_back() -> None:
    texts = np.array(["a", b"\0\xff", ""], dtype=object)
    written = pb_utils.serialize_byte_tensor(texts).item()
    assert written == b"\x01\0\0\0a\x02\0\0\0\0\xff\0\0\0\0"
    assert pb_utils.deserialize_bytes_tensor(written).tolist() == [b"a", b"\0\xff", b""]
    assert pb_utils.serialize_byte_tensor(texts[:0]).size == 0
    assert pb_utils.serialize_byte_tensor(np.ones(2)) is None


@pytest.mark.parametrize("data", [b"\1", b"\x02\0\0\0a", b"\0\0\0\0\1\0"])
def test_bytes_that_end_too_early_are_refused(data: bytes) -> None:
    with pytest.raises(pb_utils.TritonModelException, match="the bytes end within"):
        pb_utils.deserialize_bytes_tensor(data)


def test_a_tensor_goes_through_dlpack() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    tensor = pb_utils.Tensor("x", array)
    assert tensor.shape() == (2, 3)
    assert np.shares_memory(np.from_dlpack(tensor), array)
    for giver in (array, tensor, tensor.to_dlpack()):
        assert pb_utils.Tensor.from_dlpack("y", giver).as_numpy().tolist() == array.tolist()


def test_what_others_may_be_reading_goes_through_dlpack_as_a_copy() -> None:
    sent = tensor([1, 2])
    given = np.from_dlpack(received("x", sent))
    assert not np.shares_memory(given, sent.data)
    assert given.tolist() == [1, 2]


def test_texts_do_not_go_through_dlpack() -> None:
    with pytest.raises(pb_utils.TritonModelException, match="DLPack has no BYTES"):
        pb_utils.Tensor("x", np.array([b"a"], dtype=object)).to_dlpack()


def test_preferred_memory_and_traces_are_taken_and_told() -> None:
    memory = pb_utils.PreferredMemory(pb_utils.TRITONSERVER_MEMORY_GPU, 1)
    request = pb_utils.InferenceRequest(model_name="m", preferred_memory=memory, trace=pb_utils.InferenceTrace())
    assert request.preferred_memory() is memory
    assert (memory.preferred_memory_type(), memory.preferred_device_id()) == (pb_utils.TRITONSERVER_MEMORY_GPU, 1)
    assert request.trace().get_context() is None


def test_a_parameter_has_64_bits() -> None:
    assert json.loads(pb_utils.InferenceResponse(parameters={"a": -(2**63)}).parameters()) == {"a": -(2**63)}
    with pytest.raises(ValueError, match="which no 64 bits hold"):
        pb_utils.InferenceResponse(parameters={"a": 2**63})


@pytest.mark.parametrize("value", [None, [1], b"a"])
def test_parameters_that_no_protocol_carries_are_refused(value: object) -> None:
    with pytest.raises(TypeError, match="parameters take texts"):
        pb_utils.InferenceResponse(parameters={"a": value})


def test_an_error_says_its_message_and_code() -> None:
    error = pb_utils.TritonError("no", pb_utils.TritonError.NOT_FOUND)
    assert (error.message(), str(error), error.code()) == ("no", "no", pb_utils.TritonError.NOT_FOUND)
    assert pb_utils.TritonError("no").code() is pb_utils.TritonError.INTERNAL


def test_a_response_says_what_it_holds() -> None:
    good = pb_utils.InferenceResponse([pb_utils.Tensor("y", np.ones(2))])
    bad = pb_utils.InferenceResponse(error=pb_utils.TritonError("no"))
    found = pb_utils.get_output_tensor_by_name(good, "y")
    assert found is not None
    assert found.as_numpy().tolist() == [1, 1]
    assert pb_utils.get_output_tensor_by_name(good, "q") is None
    assert (good.has_error(), good.error(), bad.has_error(), bad.output_tensors()) == (False, None, True, [])


def test_the_configuration_is_read_by_name() -> None:
    config = {"input": [{"name": "x"}], "output": [{"name": "y"}]}
    assert pb_utils.get_input_config_by_name(config, "x") == {"name": "x"}
    assert pb_utils.get_output_config_by_name(config, "y") == {"name": "y"}
    assert pb_utils.get_output_config_by_name(config, "x") is None
    assert pb_utils.get_input_config_by_name({}, "x") is None


def test_datatypes_have_their_numpy_types() -> None:
    assert pb_utils.triton_string_to_numpy("TYPE_FP16") is np.float16
    assert pb_utils.triton_string_to_numpy("TYPE_STRING") is np.object_
    assert pb_utils.triton_to_numpy_type(11) is np.float32
    assert pb_utils.numpy_to_triton_type(np.int64) == pb_utils.numpy_to_triton_type(np.longlong) == 9


def test_decoupled_is_what_the_configuration_says() -> None:
    assert not pb_utils.using_decoupled_model_transaction_policy({})
    assert pb_utils.using_decoupled_model_transaction_policy({"model_transaction_policy": {"decoupled": True}})


# The configuration that a model completes


X = {"name": "x", "data_type": "TYPE_FP32", "dims": [1, -1]}


def test_completing_fills_in_what_is_open() -> None:
    config = ModelConfig("m", {"input": [{"name": "x", "data_type": "TYPE_INVALID"}], "max_batch_size": "2"})
    config.add_input({**X, "optional": True})
    config.add_output(X)
    config.set_max_batch_size(4)
    config.set_dynamic_batching()
    config.set_model_transaction_policy({"decoupled": False})
    document = config.as_dict()
    assert (document["input"], document["output"]) == ([{**X, "optional": True}], [X])
    assert (document["name"], document["max_batch_size"], document["dynamic_batching"]) == ("m", 4, {})
    assert document["model_transaction_policy"] == {"decoupled": False}


def test_the_same_again_is_no_conflict() -> None:
    config = ModelConfig("m", {"input": [{**X, "dims": ["1", "-1"]}]})
    config.add_input(X)
    assert config.as_dict()["input"] == [X]


def test_what_it_was_made_of_does_not_change() -> None:
    document: dict[str, Any] = {"parameters": {"a": {"string_value": "1"}}, "input": [dict(X)]}
    ModelConfig("m", document).as_dict()["parameters"]["a"]["string_value"] = "2"
    assert document == {"parameters": {"a": {"string_value": "1"}}, "input": [X]}


@pytest.mark.parametrize(
    ("tensor", "sentence"),
    [
        ({**X, "data_type": "TYPE_INT8"}, "data_type is TYPE_FP32 in the configuration, TYPE_INT8 in the model"),
        ({**X, "dims": [1]}, r"dims is \[1, -1\] in the configuration, \[1\] in the model"),
        ({"name": "x", "dims": [1]}, "property 'data_type' is missing"),
        ({"data_type": "TYPE_FP32", "dims": [1]}, "property 'name' is missing"),
        ({**X, "shape": [1]}, "no such property: 'shape'"),
    ],
)
def test_a_conflict_is_a_value_error(tensor: dict[str, Any], sentence: str) -> None:
    config = ModelConfig("m", {"input": [X], "output": [X]})
    for what, add in (("input", config.add_input), ("output", config.add_output)):
        with pytest.raises(ValueError, match=rf"^model 'm', {what} 'x?': {sentence}$"):
            add(tensor)


def test_an_output_cannot_be_optional() -> None:
    with pytest.raises(ValueError, match="no such property: 'optional'"):
        ModelConfig("m", {}).add_output({**X, "optional": True})


def test_a_batch_smaller_than_the_configurations_is_a_conflict() -> None:
    with pytest.raises(ValueError, match="the configuration has max_batch_size 8, the model takes 4"):
        ModelConfig("m", {"max_batch_size": 8}).set_max_batch_size(4)


def test_another_scheduler_is_a_conflict() -> None:
    with pytest.raises(ValueError, match="sequence_batching"):
        ModelConfig("m", {"sequence_batching": {}}).set_dynamic_batching()


def test_another_transaction_policy_is_a_conflict() -> None:
    config = ModelConfig("m", {"model_transaction_policy": {"decoupled": False}})
    with pytest.raises(ValueError, match="decoupled is False in the configuration, True in the model"):
        config.set_model_transaction_policy({"decoupled": True})
    with pytest.raises(ValueError, match="no property 'coupled'"):
        config.set_model_transaction_policy({"coupled": True})
