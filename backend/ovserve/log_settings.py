"""The log's settings in Triton's words, as they are and as they are to be.

Source: https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_logging.md
"""

from collections.abc import Mapping
from typing import TypeAlias

from ovserve.errors import InvalidInput, Unsupported
from ovserve.observability import logs
from ovserve.seeing import request_log

Value: TypeAlias = bool | int | str

# From the most important on: each switch lets in lines of its level, and the next is off where it is.
_SWITCHES = (("log_error", "ERROR"), ("log_warning", "WARNING"), ("log_info", "INFO"))
_HIGHEST = (1 << 32) - 1
_FORMATS: Mapping[str, logs.Style] = {"default": "console", "ISO8601": "console", "console": "console", "json": "json"}


def log_settings() -> dict[str, Value]:
    """Tell what is in force."""
    level = logs.level()
    return {
        **{name: logs.rank(level) <= logs.rank(least) for name, least in _SWITCHES},
        "log_verbose_level": int(logs.rank(level) <= logs.rank("DEBUG")),
        "log_format": logs.style(),
        "log_file": "",
        "log_requests": request_log.is_on(),  # ours
    }


def change_log_settings(changes: Mapping[str, Value]) -> None:
    """Change the settings given; raises `InvalidInput` or `Unsupported`, and changes nothing then.

    Levels are in a row: without one, those of less importance must be off too.
    """
    before = log_settings()
    for name, value in changes.items():
        _check(name, value, before)
    wanted = {**before, **changes}
    level = _level(wanted)
    logs.set_style(_FORMATS[str(wanted["log_format"])])
    logs.set_level(level)
    request_log.switch(on=bool(wanted["log_requests"]))


def _check(name: str, value: Value, before: Mapping[str, Value]) -> None:
    if name == "log_file":
        raise Unsupported("log setting 'log_file' cannot be changed by request: give --log_path at the start")
    if name not in before:
        raise InvalidInput(f"log setting '{name[:64]}' is unknown, expected one of {', '.join(before)}")
    if type(value) is not type(before[name]):
        raise InvalidInput(f"log setting '{name}' expects {type(before[name]).__name__}, got {type(value).__name__}")
    if type(value) is int and not 0 <= value <= _HIGHEST:
        raise InvalidInput(f"log setting '{name}' expects a number from 0 to {_HIGHEST}, got {str(value)[:64]}")
    if name == "log_format" and value not in _FORMATS:
        raise InvalidInput(f"log setting 'log_format' expects one of {', '.join(_FORMATS)}, got '{str(value)[:64]}'")


def _level(wanted: Mapping[str, Value]) -> str:
    names = [name for name, _ in _SWITCHES]
    off = next((name for name in names if not wanted[name]), None)
    if off is not None:
        behind = [name for name in names[names.index(off) :] if wanted[name]]
        if behind:
            raise Unsupported(f"log settings '{off}' false and '{behind[0]}' true contradict each other here")
        if wanted["log_verbose_level"]:
            raise Unsupported(f"log settings '{off}' false and 'log_verbose_level' above 0 contradict each other here")
    if wanted["log_verbose_level"]:
        return "DEBUG"
    on = [level for name, level in _SWITCHES if wanted[name]]
    return on[-1] if on else logs.NOTHING
