"""An RPC that a worker hands on to the server, as gRPC's frontend and both ends of the conversation know it."""

from collections.abc import Callable
from typing import TypeAlias

Status: TypeAlias = tuple[int, str]  # gRPC's number, and a sentence

# The answer to a message, or the status that the call ends with.
Answered: TypeAlias = tuple[bytes, Status | None]

# Answers a message to a method, by its path, within so many seconds; may raise an `OVServeError`.
AnswerRpc: TypeAlias = Callable[[str, bytes, float], Answered]
