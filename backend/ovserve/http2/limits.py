"""What one client, or many, may take of the server."""

from dataclasses import dataclass
from math import inf

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes per message, in and out; connections; calls at once on one connection; and times in seconds."""

    message_bytes: int
    connections: int = 1000
    streams: int = 10_000  # gRPC's clients fail rather than wait where they reach it, so it is out of their reach
    answer_bytes: int | None = None  # by itself as many as a message may have
    metadata_bytes: int = 16 << 10
    handshake_s: float = 20.0
    idle_s: float = 600.0
    age_s: float = inf
    age_grace_s: float = inf
    # A peer that is gone without a word is noticed, and its connection given to others.
    keepalive_s: float = 60.0
    keepalive_timeout_s: float = 20.0

    @property
    def most_answer_bytes(self) -> int:
        return self.message_bytes if self.answer_bytes is None else self.answer_bytes

    @property
    def held_bytes(self) -> int:
        """Messages of one connection that have not been answered, in all."""
        return max(256 * _MIB, 2 * self.message_bytes)
