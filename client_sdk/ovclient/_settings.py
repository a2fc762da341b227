"""Where a server is and how it is spoken to, as the caller said it; checked once. No I/O."""

from dataclasses import dataclass, field

from ovclient._errors import InvalidSetup
from ovclient._tls import PathText

_INT32_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Settings:
    """What a transport is made from; raises `InvalidSetup`."""

    address: str
    tls: bool
    server_cert: PathText | None
    client_cert: PathText | None
    client_key: PathText | None
    api_key: str | None = field(repr=False)
    max_message_bytes: int

    def __post_init__(self) -> None:
        if not self.address or any(character.isspace() for character in self.address):
            raise InvalidSetup(f"address must be host:port, got '{self.address}'")
        if not 0 < self.max_message_bytes <= _INT32_MAX:
            raise InvalidSetup(f"max_message_bytes must be 1..{_INT32_MAX}, got {self.max_message_bytes}")
        if self.is_rest and self.tls and not self.is_tls:
            raise InvalidSetup(f"tls is on, but {self.address} is plain HTTP: write https://")
        if not self.is_tls and (self.server_cert or self.client_cert or self.client_key):
            hint = "write https://" if self.is_rest else "add tls=True"
            raise InvalidSetup(f"certificates were given, but tls is off: {hint}")

    @property
    def is_rest(self) -> bool:
        return is_rest(self.address)

    @property
    def is_tls(self) -> bool:
        return self.address.lower().startswith("https://") if self.is_rest else self.tls


def is_rest(address: str) -> bool:
    """Whether an address asks for REST."""
    return address.lower().startswith(("http://", "https://"))
