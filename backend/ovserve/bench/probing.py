"""Which way of running OpenVINO is the limit. Pure."""

import statistics
from collections.abc import Iterable, Sequence

from ovserve.bench.records import Probe, Setup

ANY = 0


def choose(probes: Sequence[Probe], clients: Iterable[int]) -> dict[int, Setup]:
    """Pick the fastest setup by the most requests in flight that it may have: `ANY` number, and each of `clients`."""
    limits = {ANY: _fastest(probes)}
    for count in clients:
        limits[count] = _fastest([probe for probe in probes if probe.setup.in_flight <= count])
    return limits


def beyond(limits: dict[int, Setup]) -> frozenset[int]:
    """Name the client counts that cannot keep as many requests in flight as the limit has."""
    return frozenset(count for count in limits if 0 < count < limits[ANY].in_flight)


def _fastest(probes: Sequence[Probe]) -> Setup:
    return max(probes, key=lambda probe: statistics.median(probe.requests_per_s)).setup
