"""What others ask of the reconciler, and wait for: loads, unloads, and looks at everything."""

import threading
from collections.abc import Callable, Mapping
from queue import SimpleQueue

from ovserve.errors import ReloadFailed
from ovserve.serving.drained import drained
from ovserve.serving.load_request import Request
from ovserve.serving.reload import Picture, Reload


class Asked:
    """Any thread asks; the reconciler's thread begins and answers, and `wake` has it look."""

    def __init__(self, wake: threading.Event) -> None:
        self._wake = wake
        self._new_requests: SimpleQueue[Request] = SimpleQueue()
        self._new_reloads: SimpleQueue[Reload] = SimpleQueue()
        self._reloads: list[Reload] = []
        self.requests: list[Request] = []  # begun, and not answered yet

    def at_start(self, model: str) -> None:
        """Have a model loaded, and do not wait for it."""
        self._new_requests.put(Request(model, load=True))

    def request(self, model: str, *, load: bool, with_parts: bool = False) -> Request:
        """Have a model loaded as it now lies on disk, or unloaded, and wait for that."""
        request = Request(model, load, with_parts)
        self._new_requests.put(request)
        self._wake.set()
        request.done.wait()
        return request

    def reload(self) -> bool:
        """Have everything looked at now, with what failed tried again, and tell whether something else is served then.

        Raises `ReloadFailed` where not all can be served.
        """
        reload = Reload()
        self._new_reloads.put(reload)
        self._wake.set()
        reload.done.wait()
        if reload.error is not None:
            raise reload.error
        return reload.changed

    def begin_requests(self) -> list[Request]:
        begun = drained(self._new_requests)
        self.requests += begun
        return begun

    def begin_reloads(self, served: Callable[[], Picture]) -> bool:
        """Tell whether there are new ones, which see what is `served` now as what was before."""
        begun = drained(self._new_reloads)
        for reload in begun:
            reload.before = served()
        self._reloads += begun
        return bool(begun)

    def answer_requests(self, is_busy: Callable[[str], bool], failures: Callable[[str], Mapping[int, str]]) -> None:
        """Tell those of whose model nothing is under way any more which versions failed, and why."""
        for request in [request for request in self.requests if not is_busy(request.model)]:
            request.failures = failures(request.model)
            self.requests.remove(request)
            request.done.set()

    def answer_reloads(self, served: Callable[[], Picture], error: Callable[[], ReloadFailed | None]) -> None:
        """Tell all who had everything looked at what came of it."""
        if not self._reloads:
            return
        now, why = served(), error()
        for reload in self._reloads:
            reload.finish(now, why)
        self._reloads.clear()
