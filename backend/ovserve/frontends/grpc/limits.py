"""What one client, or many, may take of the gRPC server; and the arguments of gRPC's own servers that change it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ovserve.http2.limits import Limits
from ovserve.observability.logs import get_logger

_MS = 1e-3

_TIMES_S = {
    "grpc.max_connection_idle_ms": "idle_s",
    "grpc.max_connection_age_ms": "age_s",
    "grpc.max_connection_age_grace_ms": "age_grace_s",
    "grpc.keepalive_time_ms": "keepalive_s",
    "grpc.keepalive_timeout_ms": "keepalive_timeout_s",
    "grpc.server_handshake_timeout_ms": "handshake_s",
}
_COUNTS = {
    "grpc.max_receive_message_length": "message_bytes",
    "grpc.max_send_message_length": "answer_bytes",
    "grpc.max_allowed_incoming_connections": "connections",
    "grpc.max_concurrent_streams": "streams",
    "grpc.max_metadata_size": "metadata_bytes",
    "grpc.absolute_max_metadata_size": "metadata_bytes",
}

logger = get_logger("ovserve.grpc")


def changed(limits: Limits, arguments: Mapping[str, str | int]) -> Limits:
    """Apply channel arguments, as OVMS takes them; those that are not known are told in the log, and change nothing."""
    for name, value in arguments.items():
        field = _TIMES_S.get(name) or _COUNTS.get(name)
        if field is None or not isinstance(value, int) or value < 0:
            logger.warning("a channel argument has no effect", name=name, value=value)
        else:
            change: dict[str, Any] = {field: value * _MS if name in _TIMES_S else value}
            limits = replace(limits, **change)
    return limits
