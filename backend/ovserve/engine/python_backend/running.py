"""Which requests the code that runs here is executing."""

from contextvars import ContextVar

from ovserve.engine.python_backend.instance import Asked

REQUESTS: ContextVar[tuple[Asked, ...]] = ContextVar("requests", default=())


def on_behalf_of() -> Asked | None:
    """Tell for which request; of several that are executed together, the one that is nested deepest."""
    requests = REQUESTS.get()
    return max(requests, key=lambda asked: len(asked.within), default=None)
