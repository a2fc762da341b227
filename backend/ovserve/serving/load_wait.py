"""Requests for a version that is still loading."""

import threading
import time

from ovserve.errors import Cancelled, DeadlineExceeded, NotReady
from ovserve.requests import FOREVER_S, Caller
from ovserve.serving.registry import Registry
from ovserve.serving.servable import Servable

# Each holds one of the frontend's threads.
_MOST = 64


class LoadWait:
    """Has requests wait for their version, up to `seconds` each; at most `most` wait, one more is refused at once."""

    def __init__(self, registry: Registry, seconds: float) -> None:
        self._registry = registry
        self._seconds = seconds
        self._waiting = 0
        self._closed = False
        self._changed = threading.Condition()
        self.most = _MOST if seconds else 0
        if seconds:
            registry.on_change(self._wake)

    def find(self, name: str, version: int | None, caller: Caller) -> Servable:
        """Find as the registry does, with patience.

        Raises `NotFound`, `NotReady`, `Cancelled` where the caller goes, `DeadlineExceeded` where its time is over.
        """
        try:
            return self._registry.find(name, version)
        except NotReady as loading:
            if not self._seconds:
                raise
            return self._wait(name, version, caller, str(loading))

    def close(self) -> None:
        """Refuse those who wait: nothing is loaded any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _wait(self, name: str, version: int | None, caller: Caller, why: str) -> Servable:
        patience_s = caller.time_remaining()
        until_s = time.monotonic() + min(self._seconds, patience_s, FOREVER_S)
        gone = _Gone(self._changed)
        if not caller.add_callback(gone):
            gone()
        with self._changed:
            if self._waiting >= self.most:
                raise NotReady(f"{why}; {self._waiting} requests wait for models to load already")
            self._waiting += 1
            try:
                return self._look_until(until_s, name, version, gone)
            except NotReady:
                if patience_s <= self._seconds and not self._closed:
                    raise DeadlineExceeded(f"model '{name}': the deadline passed while the model was loading") from None
                raise
            finally:
                self._waiting -= 1

    def _look_until(self, until_s: float, name: str, version: int | None, gone: "_Gone") -> Servable:
        """Look at each change, the lock held; raises `NotReady` when the time is over."""
        while True:
            if gone.is_set:
                raise Cancelled(f"model '{name}': the caller went away while the model was loading")
            if self._closed:
                raise NotReady("the server is stopping")
            try:
                return self._registry.find(name, version)
            except NotReady:
                if not self._changed.wait(until_s - time.monotonic()) and time.monotonic() >= until_s:
                    raise

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()


class _Gone:
    """Remembers that a caller has gone, and has that noticed."""

    def __init__(self, changed: threading.Condition) -> None:
        self.is_set = False
        self._changed = changed

    def __call__(self) -> None:
        with self._changed:
            self.is_set = True
            self._changed.notify_all()
