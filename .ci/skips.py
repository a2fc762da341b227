"""Fails when a test skipped that this machine could have run."""

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

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
