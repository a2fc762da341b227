"""Ports and addresses to listen on."""

import ipaddress
import re
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field

_MOST = 65535
_HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
_LOOKS_LIKE_AN_IP = re.compile(r"[0-9A-Fa-f.:]+")


def is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def split(addresses: str) -> tuple[str, ...]:
    return tuple(address.strip() for address in addresses.split(","))


def _each_is_one(value: str) -> str:
    for host in split(value):
        if _LOOKS_LIKE_AN_IP.fullmatch(host):
            ipaddress.ip_address(host)  # its ValueError says what is wrong
        elif len(host) > 255 or not _HOST.fullmatch(host):  # noqa: PLR2004 - RFC 1035
            raise ValueError(f"'{host}' is neither a host name nor an IP address")
    return value


def _in_range(port: int) -> int:
    if not 0 <= port <= _MOST:
        raise ValueError(f"port number out of range from 0 to {_MOST}")
    return port


Addresses: TypeAlias = Annotated[str, AfterValidator(_each_is_one)]
Port: TypeAlias = Annotated[
    Annotated[int, AfterValidator(_in_range)] | Literal["auto"], Field(union_mode="left_to_right")
]
