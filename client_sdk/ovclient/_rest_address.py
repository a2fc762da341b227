"""An http address taken apart. Pure."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from ovclient._errors import InvalidSetup

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class RestAddress:
    """`base` stands before each path, for servers behind a gateway; it has no slash at its end."""

    host: str
    port: int
    is_tls: bool
    base: str

    @classmethod
    def of(cls, text: str) -> "RestAddress":
        """Read `http://host:port` or `https://host:port`, without port HTTP's own; raises `InvalidSetup`."""
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise InvalidSetup(f"address must be http://host:port, got '{text}': {error}") from error
        if not host or port == 0 or parts.username is not None or parts.query or parts.fragment:
            raise InvalidSetup(f"address must be http://host:port, got '{text}'")
        shown = f"[{host}]" if ":" in host else host
        return cls(shown, port or _PORTS[parts.scheme], parts.scheme == "https", parts.path.rstrip("/"))

    @property
    def authority(self) -> str:
        """What the header `host` says."""
        return self.host if self.port == _PORTS["https" if self.is_tls else "http"] else f"{self.host}:{self.port}"
