"""An instance of a Python model in a process of its own, which is started anew when it ends."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from ovserve.config.declared import Document
from ovserve.config.model import STUCK_S
from ovserve.engine.python_backend import pb_utils
from ovserve.engine.python_backend.declared_specs import declared_specs
from ovserve.engine.python_backend.instance import Asked, Host, Later, Result
from ovserve.engine.python_backend.isolated.session import Part, Session
from ovserve.engine.python_backend.isolated.watcher import watch
from ovserve.errors import LoadFailed
from ovserve.observability.logs import get_logger
from ovserve.processes.restarts import Restarts
from ovserve.processes.worker_process import Reader
from ovserve.tensors import TensorSpec

_FINALIZE_S = 30.0

logger = get_logger("ovserve.python")


class ProcessInstance:
    """Loads `part` in a worker (an `Instance`); raises `LoadFailed`.

    Stuck for `stuck_s` seconds without anybody who waits, the worker is ended too; 0 lets it.
    """

    def __init__(self, part: Part, host: Host, *, stuck_s: float = STUCK_S) -> None:
        self._host = host
        self._stuck_s = stuck_s
        self._changed = threading.Condition()
        self._session: Session | None = None
        self._begun_s = 0.0
        self._is_closed = False
        self._waiting: list[Callable[[], None]] = []
        self._restarts = Restarts()
        self._part = part
        self.document: Document = self._start()
        self._part = replace(part, document=self.document, is_completed=True)
        self.inputs: tuple[TensorSpec, ...] = declared_specs(self.document, "input")
        self.outputs: tuple[TensorSpec, ...] = declared_specs(self.document, "output")
        self.optional = frozenset(tensor["name"] for tensor in self.document["input"] if tensor.get("optional"))
        self.is_decoupled = pb_utils.using_decoupled_model_transaction_policy(self.document)

    @property
    def pid(self) -> int | None:
        """The number of its process, where there is one now."""
        session = self._session
        return None if session is None else session.process.pid

    def execute(self, requests: Sequence[Asked]) -> Sequence[Result]:
        session = self._session
        return [Later.AGAIN] * len(requests) if session is None else session.execute(requests)

    def is_ready(self) -> bool:
        session = self._session
        return session is not None and session.is_ready()

    def when_up(self, callback: Callable[[], None]) -> None:
        with self._changed:
            if self._session is None and not self._is_closed:
                self._waiting.append(callback)
                return
        callback()

    def close(self) -> None:
        with self._changed:
            if self._is_closed:
                return
            self._is_closed = True
            session = self._session
            self._changed.notify_all()
        self._call_back()
        if session is None:
            return
        session.finish()
        if isinstance(threading.current_thread(), Reader):
            threading.Thread(target=_end, args=(session, self._part), daemon=True).start()
        else:
            _end(session, self._part)

    def _start(self) -> Document:
        """Start a worker and have it load; raises `LoadFailed`."""
        session = Session(self._part, self._host, self._ended)
        try:
            document = session.load()
        except BaseException:
            session.process.kill()
            raise
        with self._changed:
            # It may have ended already, of which nobody was told then.
            is_up = session.end is None and not self._is_closed
            if is_up:
                self._session, self._begun_s = session, time.monotonic()
        if not is_up:
            session.process.kill()
            how = f"with {session.end} " if session.end else ""
            raise LoadFailed(
                f"'{self._part.file.name}': its process ended {how}as soon as it was loaded", self._part.file
            )
        watch(session, self._part.name, self._stuck_s)
        return document

    def _ended(self, session: Session) -> None:
        with self._changed:
            if self._session is not session:
                return  # not up yet
            self._session = None
            lived_s = time.monotonic() - self._begun_s
            if self._is_closed:
                return
        logger.error(
            "a worker ended and is started anew", model=self._part.name, version=self._part.version, how=session.end
        )
        threading.Thread(target=self._restart, args=(lived_s,), name="python-restart", daemon=True).start()

    def _restart(self, lived_s: float) -> None:
        while self._session is None:
            with self._changed:
                if self._changed.wait_for(lambda: self._is_closed, self._restarts.delay_s(lived_s)):
                    return
            lived_s = 0.0
            try:
                self._start()
            except (LoadFailed, OSError) as error:
                logger.error(
                    "a worker does not start", model=self._part.name, version=self._part.version, cause=str(error)
                )
        self._call_back()

    def _call_back(self) -> None:
        with self._changed:
            waiting, self._waiting = self._waiting, []
        for callback in waiting:
            callback()


def _end(session: Session, part: Part) -> None:
    if not session.process.wait(_FINALIZE_S):
        logger.warning("finalize takes too long", model=part.name, version=part.version, limit_s=_FINALIZE_S)
        session.process.kill()
        session.process.wait(_FINALIZE_S)
