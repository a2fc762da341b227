import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import openvino as ov
import pytest

import fake_triton
import small_models
from fake_triton import ModelConfig, Pb, Request
from ovserve.config.model import ModelConfig as OurConfig
from ovserve.errors import Code
from ovserve.frontends.triton import backend, status
from ovserve.frontends.triton.instances import share

ONE = np.ones((1, 4), np.float32)


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """Give the log back as it was: in Triton's process it is ours alone."""
    library = logging.getLogger("ovserve")
    handlers, propagate, level = library.handlers, library.propagate, library.level
    yield
    library.handlers, library.propagate = handlers, propagate
    library.setLevel(level)


def opened(folder: Path, model: ov.Model, **fields: object) -> tuple[Pb, backend.Backend]:
    pb = Pb(small_models.save(model, folder))
    found = backend.open_backend(pb, fake_triton.args(**fields))
    assert isinstance(found, backend.Backend), found
    return pb, found


def refusal(folder: Path, model: ov.Model, **fields: object) -> str:
    found = backend.open_backend(Pb(small_models.save(model, folder)), fake_triton.args(**fields))
    assert isinstance(found, fake_triton.TritonModelException)
    return str(found)


def values(**texts: str) -> dict[str, object]:
    return {"parameters": {key: {"string_value": text} for key, text in texts.items()}}


def test_each_request_is_answered_by_itself(tmp_path: Path) -> None:
    _, served = opened(tmp_path, small_models.add_sub([-1, 4]))
    requests = [Request({"a": ONE * n, "b": ONE}) for n in range(5)]
    assert served.execute(requests) is None
    assert [request.answer.outputs["sum"][0, 0] for request in requests] == [1, 2, 3, 4, 5]
    served.close()


def test_a_triton_without_senders_gets_a_list(tmp_path: Path) -> None:
    _, served = opened(tmp_path, small_models.add_sub([-1, 4]))
    requests = [Request({"a": ONE * n, "b": ONE}, sends=False) for n in range(5)]
    assert [answer.outputs["sum"][0, 0] for answer in served.execute(requests)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("sends", [True, False])
def test_a_bad_request_fails_alone_with_its_code(tmp_path: Path, sends: bool) -> None:
    _, served = opened(tmp_path, small_models.add_sub([-1, 4]))
    wrong = {
        "INVALID_ARG": [{"a": ONE}, {"a": ONE, "b": ONE[:, :3]}, {"a": ONE, "b": ONE, "c": ONE}],
        "INTERNAL": [{"a": np.ones((2, 4), np.float32), "b": np.ones((3, 4), np.float32)}],
    }
    requests = [(code, Request(arrays, sends=sends)) for code, many in wrong.items() for arrays in many]
    good = Request({"a": ONE, "b": ONE}, sends=sends)
    listed = served.execute([*(request for _, request in requests), good])
    answers = listed or [request.answer for request in (*(request for _, request in requests), good)]
    assert [answer.error and answer.error.code for answer in answers] == [*(code for code, _ in requests), None]
    assert answers[0].error.message.startswith("model 'm' version 3 expects 2 inputs 'a', 'b', got 1: missing 'b'")


def test_only_the_outputs_asked_for_are_sent(tmp_path: Path) -> None:
    _, served = opened(tmp_path, small_models.add_sub([-1, 4]))
    request = Request({"a": ONE, "b": ONE}, {"difference"})
    served.execute([request])
    assert list(request.answer.outputs) == ["difference"]


def test_no_more_requests_begin_than_there_are_slots(tmp_path: Path) -> None:
    _, served = opened(tmp_path, small_models.slow(), **values(nireq="2"))
    slow = [Request({"n": np.array([500], np.int64)}) for _ in range(2)]
    quick = Request({"n": np.array([1], np.int64)})
    served.execute([*slow, quick])
    assert any(request.sender.answered.is_set() for request in slow)
    assert quick.answer.error is None
    served.close()


def test_a_scalar_comes_and_goes_as_one_element(tmp_path: Path) -> None:
    _, served = opened(tmp_path, small_models.add_one([]))
    request = Request({"x": np.array([2], np.float32)})
    served.execute([request])
    assert request.answer.outputs["y"].tolist() == [3]


def test_an_answer_for_which_there_is_no_room_is_an_error(tmp_path: Path) -> None:
    pb, served = opened(tmp_path, small_models.add_sub([-1, 4]))
    request = Request({"a": ONE, "b": ONE}, failures=1)
    served.execute([request])
    assert (request.answer.error.code, request.answer.error.message) == ("INTERNAL", "the answer could not be sent")
    served.close()
    assert [level for level, _ in pb.Logger.lines] == ["error"]


def test_a_fault_of_ours_goes_to_the_log_and_not_to_the_client(tmp_path: Path) -> None:
    pb, served = opened(tmp_path, small_models.add_sub([-1, 4]))
    request = Request({"a": ONE, "b": ONE})
    request.requested_output_names = lambda: 1 / 0
    served.execute([request])
    assert request.answer.error.message == "internal error: Triton's log has the details"
    served.close()
    ((level, line),) = pb.Logger.lines
    assert level == "error"
    assert "ZeroDivisionError" in line


def test_a_stub_that_does_not_know_its_numpy_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake_triton.Tensor, "forgetful", True)
    said = refusal(tmp_path, small_models.add_one([-1]))
    assert said.startswith(f"unable to load model 'm': this Triton does not carry the arrays of NumPy {np.__version__}")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"max_batch_size": 4, **values(shape="(1,3,8,8)")}, "max_batch_size 4 needs 1 to 4 as the first dimension"),
        ({"default_model_filename": "other.xml"}, "default_model_filename 'other.xml' is not there"),
        ({"instance_group": [{"kind": "KIND_GPU"}]}, "only KIND_CPU and KIND_AUTO"),
        ({"output": [{"name": "z"}]}, "configuration has an output 'z', model provides 'y'"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, fields: dict[str, object], sentence: str) -> None:
    said = refusal(tmp_path, small_models.channel_sum(), **fields)
    assert said.startswith("unable to load model 'm': ")
    assert sentence in said
    assert str(tmp_path) not in said


def test_a_fault_of_ours_while_loading_is_told_without_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "load_version", lambda *_: {}["secret"])
    said = refusal(tmp_path, small_models.add_one([-1]))
    assert said == "unable to load model 'm': internal error while loading: KeyError"


def completed(folder: Path, model: ov.Model, **fields: object) -> dict[str, object]:
    config = ModelConfig(name="m", **fields)
    assert backend.complete(Pb(small_models.save(model, folder)), config) is config
    return config.as_dict()


def test_an_empty_configuration_is_completed_with_whole_shapes(tmp_path: Path) -> None:
    found = completed(tmp_path, small_models.add_sub([-1, 4]))
    assert [one["name"] for one in found["input"]] == ["a", "b"]
    assert found["output"][0] == {"name": "sum", "data_type": "TYPE_FP32", "dims": [-1, 4]}
    assert "dynamic_batching" not in found


def test_a_batch_is_left_out_and_batches_are_allowed(tmp_path: Path) -> None:
    found = completed(tmp_path, small_models.add_one([1, 3]), max_batch_size=4)
    assert found["input"] == [{"name": "x", "data_type": "TYPE_FP32", "dims": [3]}]
    assert found["dynamic_batching"] == {}


def test_a_scalar_is_declared_as_one_element(tmp_path: Path) -> None:
    assert completed(tmp_path, small_models.add_one([]))["input"][0]["dims"] == [1]


def test_what_is_declared_stays_and_what_is_left_out_is_filled_in(tmp_path: Path) -> None:
    whole = {"name": "b", "data_type": "TYPE_FP32", "dims": [-1, 4], "optional": False}
    found = completed(
        tmp_path, small_models.add_sub([-1, 4]), input=[{"name": "a"}, whole], output=[{"name": "difference"}]
    )
    assert sorted(found["input"], key=lambda one: one["name"]) == [
        {"name": "a", "data_type": "TYPE_FP32", "dims": [-1, 4]},
        whole,
    ]
    assert found["output"] == [{"name": "difference", "data_type": "TYPE_FP32", "dims": [-1, 4]}]


def test_a_configuration_that_does_not_fit_is_not_completed(tmp_path: Path) -> None:
    config = ModelConfig(name="m", input=[{"name": "q"}])
    found = backend.complete(Pb(small_models.save(small_models.add_one([-1]), tmp_path)), config)
    assert isinstance(found, fake_triton.TritonModelException)
    assert "configuration has an input 'q', model provides 'x'" in str(found)


def test_a_fault_of_ours_while_completing_goes_to_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(backend, "load_version", lambda *_: {}["secret"])
    logging.getLogger("ovserve").propagate = True
    model = small_models.save(small_models.add_one([-1]), tmp_path)
    said = str(backend.complete(Pb(model), ModelConfig(name="m")))
    assert said == "unable to load model 'm': internal error while loading: KeyError"
    assert "secret" in caplog.text


def test_every_code_is_one_of_tritons() -> None:
    assert status.STATUS.keys() == set(Code)
    assert all(hasattr(fake_triton.TritonError, name) for name in status.STATUS.values())


def config(**fields: object) -> OurConfig:
    return OurConfig(name="m", base_path=Path(), **fields)


@pytest.mark.parametrize(("instances", "cores", "threads"), [(2, 8, 4), (3, 8, 2), (4, 2, 1)])
def test_instances_share_the_threads(instances: int, cores: int, threads: int) -> None:
    assert share(config(), instances, cores).plugin_config == {"INFERENCE_NUM_THREADS": threads}


def test_one_instance_has_the_machine() -> None:
    assert share(config(), 1, 8).plugin_config == {}


def test_what_the_user_sets_stays() -> None:
    own = {"INFERENCE_NUM_THREADS": 7}
    assert share(config(plugin_config=own), 2, 8).plugin_config == own


def test_other_devices_know_no_such_properties() -> None:
    assert share(config(target_device="GPU"), 2, 8).plugin_config == {}
