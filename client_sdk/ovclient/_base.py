"""What both clients share: settings, checked once. No I/O but reading certificates."""

import ipaddress
import math
import re
from typing import Any

from ovclient._errors import InvalidSetup, OVClientError
from ovclient._key import authorization
from ovclient._status import error_of
from ovclient._tls import PathText, credentials

DEFAULT_TIMEOUT_S = 60.0
LOAD_TIMEOUT_S = 600.0  # large models take minutes to compile; a server that is gone must not be waited for for ever
DEFAULT_MAX_MESSAGE_BYTES = 1 << 30
_INT32_MAX = 2**31 - 1


class BaseClient:
    """Settings of a client, and the meaning of its failures."""

    def __init__(
        self,
        address: str = "localhost:9000",
        *,
        tls: bool = False,
        server_cert: PathText | None = None,
        client_cert: PathText | None = None,
        client_key: PathText | None = None,
        api_key: str | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
        max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES,
    ) -> None:
        """Connect to `address` (`host:port`, `[ipv6]:port` or `unix:path`) at the first call.

        `timeout` is in seconds and holds for each call that names none; `math.inf` waits for ever.
        The certificates are PEM files; they are used with `tls=True` only. `api_key` goes with each call, in clear
        without `tls`.
        """
        if not address or any(character.isspace() for character in address):
            raise InvalidSetup(f"address must be host:port, got '{address}'")
        if not 0 < max_message_bytes <= _INT32_MAX:
            raise InvalidSetup(f"max_message_bytes must be 1..{_INT32_MAX}, got {max_message_bytes}")
        if not tls and (server_cert or client_cert or client_key):
            raise InvalidSetup("certificates were given, but tls is off: add tls=True")
        self.address = address
        self._timeout_s = _checked(timeout)
        self._credentials = credentials(server_cert, client_cert, client_key) if tls else None
        self._metadata = authorization(api_key)
        self._options = _options(address, max_message_bytes)
        self._input_names: dict[tuple[str, str], str] = {}
        self._closed = False
        self._connect()

    def _connect(self) -> None:
        """Make the channel, which opens no connection before the first call."""
        raise NotImplementedError

    def _deadline_s(self, timeout: float | None) -> float | None:
        seconds = self._timeout_s if timeout is None else _checked(timeout)
        return None if math.isinf(seconds) else seconds

    def _load_deadline_s(self, timeout: float | None) -> float:
        """The client's own timeout is chosen for inference; a load gets at least `LOAD_TIMEOUT_S`."""
        return max(self._timeout_s, LOAD_TIMEOUT_S) if timeout is None else timeout

    def _forget(self, model: str) -> None:
        """Forget what was known of a model that is replaced."""
        for known in [key for key in list(self._input_names) if key[0] == model]:
            self._input_names.pop(known, None)

    def _error(self, failure: Any, timeout_s: float | None) -> OVClientError:
        return error_of(failure.code(), failure.details() or "", self.address, timeout_s)


def _checked(timeout: float) -> float:
    if not timeout > 0:  # also refuses NaN
        raise InvalidSetup(f"timeout must be a positive number of seconds, got {timeout}")
    return timeout


def _options(address: str, max_message_bytes: int) -> list[tuple[str, int]]:
    options = [
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.max_receive_message_length", max_message_bytes),
        # Each client has connections of its own, and so never inherits another one's waiting time after a failure.
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if is_local(address):
        options.append(("grpc.enable_http_proxy", 0))  # a proxy cannot reach this machine's loopback
    return options


def is_local(address: str) -> bool:
    """Whether `address` never leaves this machine."""
    if re.match(r"unix(-abstract)?:", address):
        return True
    plain = re.sub(r"^(dns:(//[^/]*/)?|ipv4:|ipv6:)", "", address)
    host = plain[1:].partition("]")[0] if plain.startswith("[") else plain.rpartition(":")[0] or plain
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
