"""CPU time of a process and all its descendants (Linux's /proc)."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PARENT = 1  # counted from the state, which follows the name in parentheses (proc_pid_stat(5))
_TIMES = slice(11, 15)  # user and system, its own and those of the children that it has waited for


def spent_s(pid: int) -> float:
    """What `pid` and its descendants have spent, those that have ended included."""
    found = {int(folder.name): fields for folder in Path("/proc").glob("[0-9]*") if (fields := _fields(folder))}
    parents = {one: int(fields[_PARENT]) for one, fields in found.items()}
    return sum(sum(map(int, found[one][_TIMES])) for one in descendants(pid, parents) if one in found) / _TICKS_PER_S


def descendants(pid: int, parents: Mapping[int, int]) -> Iterator[int]:
    """`pid`, its children, theirs, and so on; `parents` names each process's parent."""
    yield pid
    for child, parent in parents.items():
        if parent == pid:
            yield from descendants(child, parents)


def _fields(folder: Path) -> list[str]:
    try:
        return (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:  # gone meanwhile
        return []
