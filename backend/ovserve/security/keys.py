"""Who may do what: keys and their rights, for every protocol alike."""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from ovserve.errors import NotAllowed, OVServeError, Unauthenticated
from ovserve.security.refusals import Refusal, Refusals

_LONGEST = 4096
_SCHEME = "bearer"


class Right(Enum):
    """What a key may open."""

    INFERENCE = "inference"
    MANAGEMENT = "management"
    METRICS = "metrics"


@dataclass(frozen=True, slots=True)
class Key:
    """The SHA-256 of a key, from which the key cannot be had, and its rights."""

    digest: bytes
    rights: frozenset[Right]


def digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogateescape")).digest()


class Keys:
    """The keys that `known` returns, which is asked for each call; `refusals` counts whom they kept out."""

    def __init__(self, known: Callable[[], Sequence[Key]]) -> None:
        self._known = known
        self.refusals = Refusals()

    def check(self, presented: str | None, right: Right, what: str, interface: str) -> None:
        """Let the key pass that came with `what` (a call's name) through `interface` if it has the right.

        Raises `Unauthenticated` and `NotAllowed`, in sentences without a word of the key.
        """
        try:
            self._check(presented, right, what)
        except OVServeError as error:
            self.refusals.add(Refusal(interface, right.value, error.code))
            raise

    def _check(self, presented: str | None, right: Right, what: str) -> None:
        if not presented:
            raise Unauthenticated(f"{what} needs a key: send it as 'authorization: Bearer KEY' or as 'x-api-key: KEY'")
        rights = self._rights(presented)
        if rights is None:
            raise Unauthenticated(f"{what}: the key sent is not known")
        if right not in rights:
            raise NotAllowed(f"{what} needs the right '{right.value}', which the key sent does not have")

    def _rights(self, presented: str) -> frozenset[Right] | None:
        """Compare with every key, whichever fits, so that time tells nothing."""
        found = None
        if len(presented) <= _LONGEST:
            wanted = digest(presented)
            for key in self._known():
                if hmac.compare_digest(key.digest, wanted):
                    found = key.rights
        return found


def presented_key(authorization: str | None, x_api_key: str | None) -> str | None:
    """Find the key in a request's headers: a bearer token, else an API key; None where there is neither."""
    scheme, _, token = (authorization or "").strip().partition(" ")
    if scheme.lower() == _SCHEME and token.strip():
        return token.strip()
    return (x_api_key or "").strip() or None
