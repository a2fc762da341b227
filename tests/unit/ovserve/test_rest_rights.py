"""Which right each address of REST needs."""

import pytest

from ovserve.frontends.rest.rights import is_probe, right_for
from ovserve.security.keys import Right


@pytest.mark.parametrize(
    ("path", "right"),
    [
        ("/v2/health/live", None),
        ("/v2/models/m/versions/1/ready", None),
        ("/docs", None),
        ("/v2/models/m/versions/1/infer", Right.INFERENCE),
        ("/v1/models/m:predict", Right.INFERENCE),
        ("/v2/models/m/stats", Right.METRICS),
        ("/metrics", Right.METRICS),
        ("/v2/logging", Right.MANAGEMENT),
        ("/v2/trace/setting", Right.MANAGEMENT),
        ("/v2/models/m/trace/setting", Right.MANAGEMENT),
        ("/v2/models/m/versions/1/trace/setting", Right.MANAGEMENT),
        ("/v2/repository/models/m/load", Right.MANAGEMENT),
        ("/v2/nothing", Right.MANAGEMENT),
        ("/v2/health/live/", Right.MANAGEMENT),
        ("//v2/health/live", Right.MANAGEMENT),
    ],
)
def test_an_address_needs_its_right(path: str, right: Right | None) -> None:
    assert right_for(path) is right


def test_probes_are_open_and_nothing_else_is_a_probe() -> None:
    for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/m/ready", "/v2/models/m/versions/1/ready"):
        assert (is_probe(path), right_for(path)) == (True, None)
    for path in ("/v2/health", "/v2/models/m", "/v2/models/m/infer", "/docs", "/v2/models/a/b/ready"):
        assert not is_probe(path)
