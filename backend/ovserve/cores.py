"""How many cores the process may use."""

import os
from math import ceil
from pathlib import Path

from ovserve.control_groups import GROUPS, OWN_GROUPS, folders

_V2 = "cpu.max"
_V1 = ("cpu.cfs_quota_us", "cpu.cfs_period_us")


def visible_cores() -> int:
    """Count the cores that the scheduler may run us on; OpenVINO starts a thread for each of them."""
    return len(os.sched_getaffinity(0))


def usable_cores(own_groups: Path = OWN_GROUPS, groups: Path = GROUPS) -> int:
    """Count the visible cores, or what a container's CPU quota leaves of them, rounded up; at least 1.

    Source: Linux, Documentation/admin-guide/cgroup-v2.rst (cpu.max) and cgroup-v1 (cpu.cfs_quota_us).
    """
    found = (_quota(folder) for folder in folders("cpu", own_groups, groups))
    quotas = [ceil(quota) for quota in found if quota is not None]
    return max(1, min((visible_cores(), *quotas)))


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
