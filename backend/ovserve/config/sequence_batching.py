"""Triton's `sequence_batching` (spec K.3) -> what it asks for. Pure.

`direct` and `oldest` both mean the same here: a sequence is bound to no instance, so whichever is free runs it.
"""

from collections.abc import Iterator

from ovserve.config.declared import Control, Document, SequenceBatching, WrongTritonConfig

FIELD = "sequence_batching"
_IDLE_US = 1_000_000  # Triton's default
_KINDS = ("START", "READY", "END", "CORRID")
_VALUES = ("int32_false_true", "fp32_false_true", "bool_false_true")
_REFUSED = {
    "state": "the model's own variables are its state",
    "iterative_sequence": "no request is run again",
    "generative_sequence": "no request is run again",
}


def read_sequence_batching(document: Document) -> SequenceBatching | None:
    """Read the field of a configuration, if it has one; raises `WrongTritonConfig`."""
    if FIELD not in document:
        return None
    field = document[FIELD]
    for name, why in _REFUSED.items():
        if field.get(name):
            raise WrongTritonConfig(f"{FIELD}.{name} is not supported: {why}")
    idle_us = int(field.get("max_sequence_idle_microseconds", 0)) or _IDLE_US
    return SequenceBatching(idle_us * 1e-6, tuple(_controls(field)))


def _controls(field: Document) -> Iterator[Control]:
    for entry in field.get("control_input", ()):
        name = str(entry.get("name", ""))
        controls = entry.get("control", ())
        if len(controls) != 1:
            raise WrongTritonConfig(f"{FIELD}: control_input '{name}' has {len(controls)} controls, expected one")
        kind = str(controls[0].get("kind", "CONTROL_SEQUENCE_START")).removeprefix("CONTROL_SEQUENCE_")
        if kind not in _KINDS:
            raise WrongTritonConfig(f"{FIELD}: control_input '{name}' has the unknown kind {kind:.80}")
        if kind == "CORRID":
            yield Control(name, "CORRID")
            continue
        pairs = [controls[0][key] for key in _VALUES if controls[0].get(key)]
        if len(pairs) != 1 or len(pairs[0]) != 2:  # noqa: PLR2004 - for no and for yes
            raise WrongTritonConfig(
                f"{FIELD}: control_input '{name}' expects the values for no and yes in one of {', '.join(_VALUES)}"
            )
        no, yes = map(float, pairs[0])
        yield Control(name, kind, (no, yes))  # type: ignore[arg-type] # one of _KINDS
