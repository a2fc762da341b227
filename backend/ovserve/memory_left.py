"""How much memory the process may still take."""

from pathlib import Path

from ovserve.control_groups import GROUPS, OWN_GROUPS, folders

_MEMORY = Path("/proc/meminfo")
# What a group may have, has, and of that could give back at once, as it is a file's: in both versions of cgroup.
_V2 = ("memory.max", "memory.current", "inactive_file")
_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def memory_left(memory: Path = _MEMORY, own_groups: Path = OWN_GROUPS, groups: Path = GROUPS) -> int | None:
    """Count the bytes that the machine has left, or a container's limit; None where nothing tells.

    Source: Linux, Documentation/filesystems/proc.rst (MemAvailable), cgroup-v2.rst and cgroup-v1/memory.rst.
    """
    found = [_of_machine(memory), *(_of_group(folder) for folder in folders("memory", own_groups, groups))]
    return min((max(0, left) for left in found if left is not None), default=None)


def _of_machine(memory: Path) -> int | None:
    kilobytes = _named(memory, "MemAvailable:")
    return None if kilobytes is None else kilobytes << 10


def _of_group(folder: Path) -> int | None:
    for limit, usage, file in (_V2, _V1):
        try:
            most, taken = (int((folder / name).read_text()) for name in (limit, usage))
        except (OSError, ValueError):  # another version, or "max"
            continue
        return most - taken + (_named(folder / "memory.stat", file) or 0)
    return None


def _named(table: Path, name: str) -> int | None:
    """Read a number from a line that begins with its name."""
    try:
        lines = table.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        words = line.split()
        if len(words) > 1 and words[0] == name and words[1].isdecimal():
            return int(words[1])
    return None
