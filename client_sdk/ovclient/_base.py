"""What both clients share: settings, checked once. No I/O but reading certificates."""

import math

from ovclient._errors import InvalidSetup
from ovclient._settings import Settings
from ovclient._tls import PathText

DEFAULT_TIMEOUT_S = 60.0
LOAD_TIMEOUT_S = 600.0  # large models take minutes to compile; a server that is gone must not be waited for for ever
DEFAULT_MAX_MESSAGE_BYTES = 1 << 30


class BaseClient:
    """Settings of a client, and what it knows of models."""

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

        An address that begins with `http://` or `https://` is spoken to over REST.
        `timeout` is in seconds and holds for each call that names none; `math.inf` waits for ever.
        The certificates are PEM files; they are used with `tls=True` or `https://` only. `api_key` goes with each
        call, in clear without TLS.
        """
        self.address = address
        self._timeout_s = _checked(timeout)
        self._input_names: dict[tuple[str, str], str] = {}
        self._connect(Settings(address, tls, server_cert, client_cert, client_key, api_key, max_message_bytes))

    def _connect(self, settings: Settings) -> None:
        """Make the transport, which opens no connection before the first call."""
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


def _checked(timeout: float) -> float:
    if not timeout > 0:  # also refuses NaN
        raise InvalidSetup(f"timeout must be a positive number of seconds, got {timeout}")
    return timeout
