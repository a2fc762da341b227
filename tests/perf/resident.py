"""Resident memory of a process, and how it grows."""

from pathlib import Path

import numpy as np


def resident_mb(pid: int | str) -> float:
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def slope_kb(found_mb: list[float]) -> float:
    """How much is added from one look to the next over the second half, by least squares."""
    half = found_mb[len(found_mb) // 2 :]
    return 1024 * float(np.polyfit(np.arange(len(half)), half, 1)[0])
