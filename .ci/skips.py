"""Fails when a test skipped that this machine could have run."""

import platform
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

TRITON = "nvidia-pytriton==0.7.0"
NEWEST_PYTHON = (3, 12)  # for which Triton's stub finds a NumPy that it knows


def triton_runs_here() -> bool:
    if (platform.system(), platform.machine()) != ("Linux", "x86_64") or sys.version_info[:2] > NEWEST_PYTHON:
        return False
    with tempfile.TemporaryDirectory() as folder:
        fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", TRITON, "--dest", folder]
        return subprocess.run(fetch, capture_output=True, check=False).returncode == 0  # noqa: S603 - our own words


report, shared = Path(sys.argv[1]), Path(sys.argv[2])
skips = [
    (case.get("classname"), case.get("name"), skip.get("message", ""))
    for case in ET.parse(report).iter("testcase")  # noqa: S314 - pytest has just written it
    for skip in case.iter("skipped")
]
print(f"{len(skips)} skipped")
for where, name, why in skips:
    print(f"  {where}::{name}: {why}")
needless = [name for _, name, why in skips if shared.is_dir() and "shared" in why]
if needless:
    sys.exit(f"../shared is there, yet {len(needless)} tests skipped for want of it: {', '.join(needless)}")
without_triton = [name for _, name, why in skips if "no Triton" in why]
if without_triton and triton_runs_here():
    sys.exit(f"Triton runs here, yet {len(without_triton)} tests skipped for want of it: {', '.join(without_triton)}")
