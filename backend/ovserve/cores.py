"""How many cores the process may use."""

import os
from collections.abc import Iterator
from math import ceil
from pathlib import Path, PurePosixPath

_OWN_GROUPS = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")
_V2 = "cpu.max"
_V1 = ("cpu.cfs_quota_us", "cpu.cfs_period_us")


def visible_cores() -> int:
    """Count the cores that the scheduler may run us on; OpenVINO starts a thread for each of them."""
    return len(os.sched_getaffinity(0))


def usable_cores(own_groups: Path = _OWN_GROUPS, groups: Path = _GROUPS) -> int:
    """Count the visible cores, or what a container's CPU quota leaves of them, rounded up; at least 1.

    Source: Linux, Documentation/admin-guide/cgroup-v2.rst (cpu.max) and cgroup-v1 (cpu.cfs_quota_us).
    """
    quotas = [ceil(quota) for folder in _folders(own_groups, groups) if (quota := _quota(folder)) is not None]
    return max(1, min((visible_cores(), *quotas)))


def _folders(own_groups: Path, groups: Path) -> Iterator[Path]:
    """Every folder whose quota binds us: that of our group and of all above it, in both versions of cgroup."""
    try:
        lines = own_groups.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        number, controllers, group = line.split(":", 2)
        if number != "0" and "cpu" not in controllers.split(","):
            continue
        root = groups if number == "0" else groups / controllers
        place = PurePosixPath(group.lstrip("/"))
        for part in (place, *place.parents):
            # A path out of our namespace's root is not ours to see; what is there of it binds us all the same.
            if ".." not in part.parts:
                yield root / part


def _quota(folder: Path) -> float | None:
    """Read how many cores' time a group may take; None where it has no limit, or nothing tells."""
    try:
        if (folder / _V2).exists():
            quota, period = (folder / _V2).read_text().split()
        else:
            quota, period = ((folder / name).read_text().strip() for name in _V1)
        return None if quota == "max" or int(quota) < 0 else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None
