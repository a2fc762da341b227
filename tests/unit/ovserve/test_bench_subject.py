from pathlib import Path

import pytest
from pydantic import ValidationError

from ovserve.bench.subject import find_subject

DEFAULT = {"plugin_config": "{}", "nireq": 0, "target_device": "CPU", "shape": ()}


def test_a_folder_is_served_under_its_own_name(tmp_path: Path) -> None:
    subject = find_subject(str(tmp_path / "face"), None, **DEFAULT)
    assert (subject.name, subject.path) == ("face", tmp_path / "face")


def test_a_file_is_served_under_its_name_without_the_suffix(tmp_path: Path) -> None:
    (tmp_path / "face.onnx").touch()
    assert find_subject(str(tmp_path / "face.onnx"), None, **DEFAULT).name == "face"


def test_a_name_is_looked_up_in_the_repository(tmp_path: Path) -> None:
    assert find_subject("face", tmp_path, **DEFAULT).path == tmp_path / "face"


def test_settings_are_checked_as_the_server_checks_them() -> None:
    with pytest.raises(ValidationError, match="it is not JSON"):
        find_subject("m", None, **{**DEFAULT, "plugin_config": "{"})


def test_the_limit_tries_both_hints_with_the_other_properties() -> None:
    subject = find_subject("m", None, **{**DEFAULT, "plugin_config": '{"INFERENCE_NUM_THREADS": 1}'})
    assert subject.limit_configs == {
        "LATENCY": {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY"},
        "THROUGHPUT": {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "THROUGHPUT"},
    }


def test_the_limit_also_tries_a_number_of_streams_that_was_asked_for() -> None:
    subject = find_subject("m", None, **{**DEFAULT, "plugin_config": '{"NUM_STREAMS": 3}'})
    assert subject.limit_configs["as configured"] == {"NUM_STREAMS": 3}
    assert subject.limit_configs["LATENCY"] == {"PERFORMANCE_HINT": "LATENCY"}
