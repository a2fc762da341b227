"""How many clients, and how many processes they take. Pure."""

import re
from itertools import pairwise

MAX_CLIENTS = 1000
_BUSY_CORES = 0.5
_RANGE = re.compile(r"(\d{1,9})(?::(\d{1,9})(?::(\d{1,9}))?)?")


def parse(text: str) -> tuple[int, ...]:
    """The levels of `4`, of `1:8` (both ends included) or of `1:8:2`, as perf_analyzer writes them."""
    found = _RANGE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"'{text}' is neither a number of clients nor start:end or start:end:step")
    start, end, step = int(found[1]), int(found[2] or found[1]), int(found[3] or 1)
    if not 1 <= start <= end <= MAX_CLIENTS:
        raise ValueError(f"'{text}' must go upwards within 1..{MAX_CLIENTS} clients")
    if step < 1:
        raise ValueError(f"'{text}' has a step below 1")
    return tuple(range(start, end + 1, step))


def grown(processes: int, busy: float, clients: int, cores: int) -> int:
    """How many processes to have instead of so many, of which the busiest took `busy` cores.

    Threads of one process cost the least CPU a request, but share one interpreter lock, which near a whole core makes
    them wait for each other instead of the server.
    """
    return max(processes, min(2 * processes, clients, cores)) if busy > _BUSY_CORES else processes


def split(clients: int, processes: int) -> tuple[range, ...]:
    """The numbers of each process's clients, as even as can be; never a process without one."""
    processes = min(clients, processes)
    ends = [clients * number // processes for number in range(processes + 1)]
    return tuple(range(first, end) for first, end in pairwise(ends))
