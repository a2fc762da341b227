"""How many connections there may be, and who makes room when there are as many."""

from typing import Protocol

# Of those on their way out: room for probes, and for saying why there is none for others.
MOST_LEAVING = 64


class Guest(Protocol):
    """A connection."""

    def ask_to_leave(self) -> None:
        """End as soon as what was answered is sent."""
        ...

    def throw_out(self) -> None:
        """End at once."""
        ...


class Connections:
    """Places for `most` connections, and a few more for those that leave; used from one thread.

    Where all places are taken, the connection that has waited for a request longest gives its own up, for a request is
    not lost with it. Where all of them are being answered, one more has no place.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: dict[Guest, None] = {}  # the longest wait first
        self._busy: set[Guest] = set()
        self._leaving: dict[Guest, None] = {}

    @property
    def most(self) -> int:
        return self._most

    def enter(self, guest: Guest) -> bool:
        """Give a connection a place; False where it gets none, and is soon to go."""
        is_full = len(self._waiting) + len(self._busy) >= self._most
        if is_full and not self._waiting:
            self._send_off(guest)
            return False
        if is_full:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            self._send_off(oldest)
            oldest.ask_to_leave()
        self._waiting[guest] = None
        return True

    def begin(self, guest: Guest) -> None:
        """Note that a connection is being answered."""
        if guest in self._waiting:
            del self._waiting[guest]
            self._busy.add(guest)

    def end(self, guest: Guest) -> None:
        """Note that it has its answer."""
        if guest in self._busy:
            self._busy.remove(guest)
            self._waiting[guest] = None

    def leave(self, guest: Guest) -> None:
        """Note that a connection has ended."""
        self._waiting.pop(guest, None)
        self._busy.discard(guest)
        self._leaving.pop(guest, None)

    def _send_off(self, guest: Guest) -> None:
        if len(self._leaving) >= MOST_LEAVING:
            first = next(iter(self._leaving))
            del self._leaving[first]
            first.throw_out()
        self._leaving[guest] = None
