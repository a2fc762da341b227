"""gRPC channel arguments as OVMS writes them: `grpc.max_concurrent_streams=8,grpc.max_connection_age_ms=60000`."""

import re

_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
_OUT_OF_RANGE = 1 << 31


def parse_channel_arguments(text: str) -> dict[str, str | int]:
    """Read names and values, whole numbers as such; raises `ValueError`."""
    if not text:
        return {}
    arguments: dict[str, str | int] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not (name and equals and value) or "=" in value:
            raise ValueError(f"Grpc channel arguments passed in wrong format - {text}")
        arguments[name] = _number(name, value) if _INTEGER.fullmatch(value) else value
    return arguments


def _number(name: str, text: str) -> int:
    number = int(text)
    if not -_OUT_OF_RANGE <= number < _OUT_OF_RANGE:
        raise ValueError(f"{name} takes no number that needs more than 32 bits")
    return number
