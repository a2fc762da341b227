"""How long a connection may rest and be used again."""

import time

IDLE_S = 4.0
"""Servers close connections that rest, uvicorn after 5 s; a request that meets the end on its way would be lost."""


def is_fresh(answered_s: float) -> bool:
    """Whether a server that answered last at this reading of `time.monotonic` will still listen."""
    return time.monotonic() - answered_s < IDLE_S
