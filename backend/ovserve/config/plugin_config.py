"""`plugin_config`: OpenVINO's properties as OVMS takes them (spec C.1) -> as OpenVINO takes them. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

PropertyValue = str | bool | int | float
PluginConfig = dict[str, PropertyValue]

_STREAMS = ("CPU_THROUGHPUT_STREAMS", "GPU_THROUGHPUT_STREAMS")
_NEW_NAMES = {**dict.fromkeys(_STREAMS, "NUM_STREAMS"), "CPU_THREADS_NUM": "INFERENCE_NUM_THREADS"}
_AUTO_STREAMS = ("CPU_THROUGHPUT_AUTO", "GPU_THROUGHPUT_AUTO")
_WHOLE_NUMBERS = ("INFERENCE_NUM_THREADS", "AUTO_BATCH_TIMEOUT")
_SWITCHES = ("ENABLE_CPU_PINNING",)
_SWITCH_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Translated:
    """What OpenVINO is told, and what the user should be told of old names."""

    properties: PluginConfig
    warnings: tuple[str, ...]


def translate(given: Mapping[str, PropertyValue]) -> Translated:
    """Give old keys their new names and values their types; a new name given beside its old one counts.

    Raises `ValueError` with one sentence.
    """
    properties: PluginConfig = {}
    warnings: list[str] = []
    for key, value in given.items():
        name, renamed = _renamed(key, value)
        if name == key:
            properties[name] = _typed(name, value)
        elif name in given or name in properties:
            warnings.append(f"{key} is an old name for {name}, which is given too; {key} is ignored")
        else:
            properties[name] = _typed(name, renamed)
            warnings.append(f"{key} is an old name: taken as {name} {properties[name]}")
    return Translated(properties, tuple(warnings))


def _renamed(key: str, value: PropertyValue) -> tuple[str, PropertyValue]:
    if key in _STREAMS and value in _AUTO_STREAMS:
        return "PERFORMANCE_HINT", "THROUGHPUT"
    return _NEW_NAMES.get(key, key), value


def _typed(name: str, value: PropertyValue) -> PropertyValue:
    if name == "NUM_STREAMS":
        return str(value)
    if name in _WHOLE_NUMBERS and isinstance(value, str):
        if not _WHOLE_NUMBER.fullmatch(value.strip()):
            raise ValueError(f"{name} must be a whole number, got '{value}'")
        return int(value)
    if name in _SWITCHES and isinstance(value, str):
        if value.strip().lower() not in _SWITCH_WORDS:
            raise ValueError(f"{name} must be true or false, got '{value}'")
        return _SWITCH_WORDS[value.strip().lower()]
    return value
