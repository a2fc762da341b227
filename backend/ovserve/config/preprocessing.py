"""The texts of `mean`, `scale`, `color_format` and `precision` (spec A.2). Pure."""

import math
import re
from dataclasses import dataclass

COLOR_FORMATS = ("RGB", "BGR", "GRAY", "NV12", "NV12_2", "I420", "I420_3")
PRECISIONS = (
    "BF16",
    "FP64",
    "FP32",
    "FP16",
    *(f"{sign}INT{bits}" for bits in (64, 32, 16, 8, 4) for sign in ("", "U")),
    "UINT1",
)

# One number for every channel, or one for each.
Numbers = float | tuple[float, ...]

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]{1,3})?", re.IGNORECASE)
_BRACKETS = {"[": "]", "(": ")"}


@dataclass(frozen=True, slots=True)
class Conversion:
    """From what the client sends to what the model takes."""

    client: str
    model: str


def parse_numbers(text: str) -> Numbers:
    """Read a number, or one per channel in brackets; raises `ValueError`."""
    stripped = text.strip()
    if _is_number(stripped):
        return float(stripped)
    if len(stripped) > 1 and stripped[-1] == _BRACKETS.get(stripped[0]):
        items = [item.strip() for item in stripped[1:-1].split(",")]
        if all(map(_is_number, items)):
            return tuple(map(float, items))
    raise ValueError(f"'{text}' is not a number, nor a list of numbers such as [123.675,116.28,103.53]")


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None and math.isfinite(float(text))


def show_numbers(numbers: Numbers) -> str:
    """Write what `parse_numbers` reads."""
    return str(numbers) if isinstance(numbers, float) else f"[{','.join(map(str, numbers))}]"


def parse_divisors(text: str) -> Numbers:
    """Read numbers to divide by; raises `ValueError`."""
    numbers = parse_numbers(text)
    if 0 in (numbers if isinstance(numbers, tuple) else (numbers,)):
        raise ValueError(f"'{text}' divides by zero")
    return numbers


def parse_color_format(text: str) -> Conversion:
    """Read `MODEL:CLIENT`, the order of OVMS; raises `ValueError`."""
    model, client = _pair(text, "color format", COLOR_FORMATS)
    return Conversion(client, model)


def show_color_format(conversion: Conversion) -> str:
    """Write what `parse_color_format` reads."""
    return f"{conversion.model}:{conversion.client}"


def parse_precision(text: str) -> Conversion:
    """Read `CLIENT:MODEL`, the order of OVMS; raises `ValueError`."""
    return Conversion(*_pair(text, "precision", PRECISIONS))


def show_precision(conversion: Conversion) -> str:
    """Write what `parse_precision` reads."""
    return f"{conversion.client}:{conversion.model}"


def _pair(text: str, what: str, allowed: tuple[str, ...]) -> tuple[str, str]:
    first, _, second = (side.strip() for side in text.upper().partition(":"))
    if first not in allowed or second not in allowed:
        raise ValueError(f"'{text}' is not a {what}: expected two of {' '.join(allowed)} with a colon between")
    return first, second
