"""The sender of a request's responses, as a Python model knows it from `triton_python_backend_utils`."""

from typing import Any

from ovserve.engine.python_backend.instance import Asked
from ovserve.engine.python_backend.pb_errors import TritonModelException
from ovserve.engine.python_backend.python_answer import Reader
from ovserve.errors import InferenceFailed, OVServeError

FINAL = 1  # TRITONSERVER_RESPONSE_COMPLETE_FINAL


class InferenceResponseSender:
    """Sends responses to one request, from any thread, until the final flag.

    Made with the request. When the model has let go of both without the flag, nobody can ever send it, so the request
    ends with an error.
    """

    def __init__(self, asked: Asked, reader: Reader, *, is_decoupled: bool) -> None:
        self._asked = asked
        self._reader = reader
        self._is_decoupled = is_decoupled
        self._label = reader.label
        self.is_taken = False
        self.is_final = False

    def send(self, response: Any = None, flags: int = 0) -> None:
        """Send a response, or the final flag alone; waits while the client is slow.

        Raises `TritonModelException` after the final flag, and for what is no response.
        """
        final = self._checked(response, flags)
        if response is None and not final:
            return
        reply = None if response is None else self._reader.read(response, self._asked)
        if final:
            self.is_final = True
        self._asked.send(reply, final=final)

    def _checked(self, response: Any, flags: int) -> bool:
        if flags not in {0, FINAL}:
            raise TritonModelException(f"unknown flags of a response: {flags}; expected 0 or {FINAL}")
        if self.is_final:
            raise TritonModelException("a response was sent after the one that was the final one")
        if not self._is_decoupled and (response is None or flags != FINAL):
            raise TritonModelException(
                "a model that is not decoupled sends exactly one response, with TRITONSERVER_RESPONSE_COMPLETE_FINAL"
            )
        return flags == FINAL

    def fail(self, error: OVServeError) -> None:
        """End the request with an error, unless it has ended."""
        if not self.is_final:
            self.is_final = True
            self._asked.send(error, final=True)

    def retire(self) -> None:
        """Send nothing any more: the request has its answer, or will be executed again."""
        self.is_final = True

    def __del__(self) -> None:
        if not getattr(self, "is_final", True):
            self.fail(InferenceFailed(f"{self._label}: it let go of the request without sending the final flag"))
