"""What the parts of a JSON configuration file have in common: exact types, known keys, errors in one sentence."""

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Strict, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from ovserve.config.json_document import show_place, show_value

ItemT = TypeVar("ItemT")

# JSON has lists where we keep tuples.
Items = Annotated[tuple[ItemT, ...], Strict(strict=False)]

_UNKNOWN_KEY = "unknown_key"
_RULES = {
    "missing": "is missing",
    "string_type": "must be text",
    "string_too_short": "must not be empty",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "dict_type": "must be an object",
    "tuple_type": "must be a list",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "literal_error": "must be {expected}",
    "value_error": "{error}",
}
# Of these the value says nothing more.
_SPEAK_FOR_THEMSELVES = ("missing", "value_error", _UNKNOWN_KEY)


class Part(BaseModel):
    """An object of the file; every key is known, every value has exactly its type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _is_an_object_of_known_keys(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise PydanticCustomError("object", "must be an object")
        for key in value:
            if key not in cls.model_fields:
                allowed = ", ".join(cls.model_fields)
                raise PydanticCustomError(
                    _UNKNOWN_KEY, "is not known here, expected one of {allowed}", {"key": key, "allowed": allowed}
                )
        return value


def told(error: ValidationError, place: Sequence[str | int] = ()) -> str:
    """Say what is wrong first, below `place`, what came, what is allowed, and how many errors there are more."""
    errors = error.errors()
    sentence = _told(errors[0], place)
    return sentence if len(errors) == 1 else f"{sentence} (and {len(errors) - 1} more)"


def _told(error: ErrorDetails, place: Sequence[str | int]) -> str:
    kind, context = error["type"], error.get("ctx", {})
    where = (*place, *error["loc"], *([context["key"]] if kind == _UNKNOWN_KEY else []))
    what = _RULES[kind].format(**context) if kind in _RULES else error["msg"]
    prefix = f"{show_place(where)}: " if where else ""
    return f"{prefix}{what}" if kind in _SPEAK_FOR_THEMSELVES else f"{prefix}{what}, got {show_value(error['input'])}"
