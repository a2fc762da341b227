"""Triton's switches of the log, and our level."""

import logging
from collections.abc import Iterator

import pytest

from ovserve.errors import InvalidInput, Unsupported
from ovserve.log_settings import Value, change_log_settings, log_settings
from ovserve.observability import logs


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    library = logging.getLogger("ovserve")
    before = library.handlers, library.level, library.propagate
    logs.configure("INFO", "console")
    yield
    library.handlers, library.level, library.propagate = before


SWITCHES = ("log_error", "log_warning", "log_info", "log_verbose_level")


@pytest.mark.parametrize(
    ("changes", "level", "switches"),
    [
        ({}, "INFO", (True, True, True, 0)),
        ({"log_info": False}, "WARNING", (True, True, False, 0)),
        ({"log_info": False, "log_warning": False}, "ERROR", (True, False, False, 0)),
        ({"log_info": False, "log_warning": False, "log_error": False}, "CRITICAL", (False, False, False, 0)),
        ({"log_verbose_level": 3}, "DEBUG", (True, True, True, 1)),
    ],
)
def test_the_switches_are_one_level(changes: dict[str, Value], level: str, switches: tuple[Value, ...]) -> None:
    change_log_settings(changes)
    assert logs.level() == level
    assert tuple(log_settings()[name] for name in SWITCHES) == switches


def test_they_come_back() -> None:
    change_log_settings({"log_verbose_level": 1})
    change_log_settings({"log_verbose_level": 0})
    assert logs.level() == "INFO"


@pytest.mark.parametrize(("name", "style"), [("json", "json"), ("default", "console"), ("ISO8601", "console")])
def test_lines_look_as_they_are_told_to(name: str, style: str) -> None:
    change_log_settings({"log_format": name})
    assert log_settings()["log_format"] == style


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"log_info": 1}, InvalidInput, "'log_info' expects bool, got int"),
        ({"log_verbose_level": True}, InvalidInput, "'log_verbose_level' expects int, got bool"),
        ({"log_format": "xml"}, InvalidInput, "'log_format' expects one of"),
        ({"nope": True}, InvalidInput, "'nope' is unknown"),
        ({"log_file": "x"}, Unsupported, "'log_file' cannot be changed by request"),
        ({"log_error": False}, Unsupported, "'log_error' false and 'log_warning' true contradict"),
        ({"log_info": False, "log_verbose_level": 1}, Unsupported, "'log_verbose_level' above 0 contradict"),
    ],
)
def test_what_cannot_be_is_refused_by_name(changes: dict[str, Value], error: type[Exception], sentence: str) -> None:
    before = log_settings()
    with pytest.raises(error, match=sentence):
        change_log_settings({"log_format": "json", **changes})
    assert log_settings() == before
