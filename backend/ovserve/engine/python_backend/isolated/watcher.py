"""Tells a worker whose client has gone, and ends one that is stuck."""

import threading
import time

from ovserve.engine.python_backend.isolated.session import Session
from ovserve.observability.logs import get_logger

_LOOK_S = 0.05

logger = get_logger("ovserve.python")


def watch(session: Session, label: str, stuck_s: float) -> None:
    """Look after what the worker has to do, in a thread, until it ends.

    It is killed when its model goes on executing for `stuck_s` seconds after the last one who waited for that has
    gone; 0 lets it.
    """
    threading.Thread(target=_watch, args=(session, label, stuck_s), name="python-watch", daemon=True).start()


def _watch(session: Session, label: str, stuck_s: float) -> None:
    since_s: float | None = None
    while session.end is None:
        if not session.open:
            since_s = None
            session.opened.clear()
            if not session.open and session.end is None:
                session.opened.wait()
        session.process.wait(_LOOK_S)
        if not _is_stuck(session):
            since_s = None
        elif since_s is None:
            since_s = time.monotonic()
        elif stuck_s and time.monotonic() - since_s >= stuck_s:
            logger.error("a worker is stuck and is ended", model=label, pid=session.process.pid, seconds=stuck_s)
            session.process.kill()
            return


def _is_stuck(session: Session) -> bool:
    """Tell the worker who has gone, and whether it executes for nobody any more."""
    executing = 0
    waited_for = 0
    for number, request in list(session.open.items()):
        if not request.is_cancelled and request.asked.is_cancelled():
            request.is_cancelled = True
            session.cancel(number)
        if not request.is_left:
            executing += 1
            waited_for += not request.is_cancelled
    return executing > 0 and waited_for == 0
