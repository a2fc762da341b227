"""What one client, or many, may take of the gRPC server; as arguments of gRPC's own."""

from dataclasses import dataclass

_HANDSHAKE_MS = 20_000
_IDLE_MS = 600_000
_KEEPALIVE_MS = 60_000
_KEEPALIVE_TIMEOUT_MS = 20_000
_LEAST_MS_BETWEEN_PINGS = 5_000
_METADATA_BYTES = 8 << 10
_MOST_METADATA_BYTES = 16 << 10


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes per message, in and out, connections, and calls at once on one connection."""

    message_bytes: int
    connections: int = 1000
    streams: int = 10_000  # gRPC's clients fail rather than wait where they reach it, so it is out of their reach

    def channel_arguments(self) -> dict[str, str | int]:
        return {
            "grpc.max_receive_message_length": self.message_bytes,
            "grpc.max_send_message_length": self.message_bytes,
            "grpc.max_allowed_incoming_connections": self.connections,
            "grpc.max_concurrent_streams": self.streams,
            "grpc.max_metadata_size": _METADATA_BYTES,
            "grpc.absolute_max_metadata_size": _MOST_METADATA_BYTES,
            "grpc.server_handshake_timeout_ms": _HANDSHAKE_MS,
            "grpc.max_connection_idle_ms": _IDLE_MS,
            # A peer that is gone without a word is noticed, and its connection given to others.
            "grpc.keepalive_time_ms": _KEEPALIVE_MS,
            "grpc.keepalive_timeout_ms": _KEEPALIVE_TIMEOUT_MS,
            # Clients may ask for signs of life too, which gRPC by itself takes for an attack.
            "grpc.keepalive_permit_without_calls": 1,
            "grpc.http2.min_recv_ping_interval_without_data_ms": _LEAST_MS_BETWEEN_PINGS,
        }
