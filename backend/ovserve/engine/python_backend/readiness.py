"""What a model says when it is asked whether it is ready."""

import threading
from collections.abc import Callable
from typing import Any

from ovserve.engine.python_backend.foreign_code import Raised, call
from ovserve.observability.logs import get_logger

_LIMIT_S = 5.0  # as Triton

logger = get_logger("ovserve.python")


class Readiness:
    """Asks in a thread of its own, so that one that hangs costs one thread and no more.

    While a question is open, those who ask get the answer to the last one, or that it is not ready where that is late.
    """

    def __init__(self, ask: Callable[[], Any] | None, model: str) -> None:
        self._ask = ask
        self._model = model
        self._lock = threading.Lock()
        self._open = False
        self._last = True

    def is_ready(self) -> bool:
        """Tell what the model says within 5 s; True where it says nothing at all."""
        if self._ask is None:
            return True
        with self._lock:
            if self._open:
                return self._last
            self._open = True
        answered = threading.Event()
        threading.Thread(target=self._answer, args=(answered,), name=f"{self._model}-ready", daemon=True).start()
        if not answered.wait(_LIMIT_S):
            logger.error("is_ready takes too long", model=self._model, limit_s=_LIMIT_S)
            with self._lock:
                self._last = self._last and not self._open
        return self._last

    def _answer(self, answered: threading.Event) -> None:
        assert self._ask is not None  # noqa: S101 - no question without
        ready = False
        try:
            ready = bool(call(lambda: bool(self._ask())))  # type: ignore[misc] # see above
        except Raised as error:
            logger.error("is_ready failed", model=self._model, cause=str(error), exc_info=error.__cause__)
        with self._lock:
            self._last = ready
            self._open = False
        answered.set()
