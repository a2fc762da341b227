"""Where it was measured."""

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

from ovserve.bench.records import Machine

_PACKAGES = ("ovserve", "openvino", "grpcio", "protobuf", "numpy")


def describe() -> Machine:
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        system=f"{platform.system()} {platform.release()}",
        versions={"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
    )


def _cpu() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()
