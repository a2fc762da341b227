"""Which right each address needs."""

import re
from collections.abc import Sequence

from ovserve.security.keys import Right

_MODEL = r"/v2/models/[^/]+(/versions/[^/]+)?"

# The first that fits counts. None: open to everybody. Liveness and readiness are for probes, which have no keys.
RIGHTS: Sequence[tuple[re.Pattern[str], Right | None]] = [
    (re.compile(pattern), right)
    for pattern, right in (
        (r"/v2/health/(live|ready)", None),
        (rf"{_MODEL}/ready", None),
        (r"/(docs|openapi\.json)", None),
        (r"/metrics", Right.METRICS),
        (r"/v2/models/stats", Right.METRICS),
        (rf"{_MODEL}/stats", Right.METRICS),
        (r"/v2/repository/index", Right.INFERENCE),
        (r"/v2/systemsharedmemory/.*", Right.MANAGEMENT),
        (r"/v2/logging", Right.MANAGEMENT),
        (r"/v2/trace/setting", Right.MANAGEMENT),
        (rf"{_MODEL}/trace/setting", Right.MANAGEMENT),
        (r"/v2", Right.INFERENCE),
        (rf"{_MODEL}(/config|/infer)?", Right.INFERENCE),
        (r"/v1/config", Right.INFERENCE),
        (r"/v1/config/reload", Right.MANAGEMENT),
        (r"/v1/models/[^/]+(/versions/[^/]+)?(/metadata)?", Right.INFERENCE),
    )
]

_PROBE = re.compile(rf"/v2/health/(live|ready)|{_MODEL}/ready")

# What the table does not name is refused to all but those who may do everything that matters.
UNNAMED = Right.MANAGEMENT


def is_probe(path: str) -> bool:
    """Tell whether an address, still encoded, is asked by those who watch over the server."""
    return _PROBE.fullmatch(path) is not None


def right_for(path: str) -> Right | None:
    """Find the right that an address, still encoded, needs; None where everybody may."""
    return next((right for pattern, right in RIGHTS if pattern.fullmatch(path)), UNNAMED)
