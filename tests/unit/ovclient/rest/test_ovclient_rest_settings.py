"""Addresses of REST."""

from typing import Any

import pytest

from ovclient import InvalidSetup


@pytest.mark.parametrize(
    "address",
    [
        "http://",
        "http://:80",
        "http://a:x",
        "http://a:70000",
        "http://a:0",
        "http://u:p@a",
        "http://a/?b",
        "http://[::1",
    ],
)
def test_an_address_that_cannot_be_asked_is_refused_at_once(twin: Any, address: str) -> None:
    with pytest.raises(InvalidSetup, match="address must be http://host:port"):
        twin(address)


def test_tls_is_the_schemes_business(twin: Any) -> None:
    with pytest.raises(InvalidSetup, match="tls is on, but http://a is plain HTTP: write https://"):
        twin("http://a", tls=True)
    with pytest.raises(InvalidSetup, match="certificates were given, but tls is off: write https://"):
        twin("http://a", server_cert="ca.pem")
