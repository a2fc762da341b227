"""CPU time spent, in seconds of user and system together (Linux's /proc)."""

import os
import time
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_UTIME, _STIME = 11, 12  # counted from the state, which follows the name in parentheses (proc_pid_stat(5))
_IDLE, _IOWAIT = 3, 4  # (proc_stat(5))


def process_s(pid: int) -> float:
    """What process `pid` has spent, its threads included, its children not; in steps of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[_UTIME]) + int(fields[_STIME])) / _TICKS_PER_S


def own_s() -> float:
    """What this process has spent, together with the children that have ended."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def machine_s() -> float:
    """What all processes of the machine have spent."""
    with Path("/proc/stat").open() as stat:
        ticks = [int(field) for field in stat.readline().split()[1:9]]  # the rest is counted in user already
    return (sum(ticks) - ticks[_IDLE] - ticks[_IOWAIT]) / _TICKS_PER_S
