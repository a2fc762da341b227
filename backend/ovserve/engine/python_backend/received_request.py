"""A request that a Python model gets, as it knows it from `triton_python_backend_utils`."""

from ovserve.engine.python_backend.instance import Asked
from ovserve.engine.python_backend.pb_errors import TritonModelException
from ovserve.engine.python_backend.pb_requests import InferenceRequest
from ovserve.engine.python_backend.pb_tensor import received
from ovserve.engine.python_backend.python_answer import Reader
from ovserve.engine.python_backend.response_sender import InferenceResponseSender

SEQUENCE_START = 1
SEQUENCE_END = 2
RELEASE_ALL = 1
RELEASE_RESCHEDULE = 2


class ReceivedRequest(InferenceRequest):
    """Has a sender for its responses, and knows whether its client has gone."""

    def __init__(self, asked: Asked, reader: Reader, model: str, version: int, *, is_decoupled: bool) -> None:
        sequence = asked.sequence
        super().__init__(
            request_id=asked.id,
            correlation_id=0 if sequence is None else sequence.id,
            inputs=[received(name, tensor) for name, tensor in asked.inputs.items()],
            requested_output_names=asked.wanted,
            model_name=model,
            model_version=version,
            flags=0 if sequence is None else SEQUENCE_START * sequence.starts + SEQUENCE_END * sequence.ends,
            timeout=asked.timeout_us,
            parameters=asked.parameters,
            priority=asked.priority,
        )
        self._is_cancelled = asked.is_cancelled
        self._is_decoupled = is_decoupled
        self.sender = InferenceResponseSender(asked, reader, is_decoupled=is_decoupled)
        self.is_to_come_again = False

    def is_cancelled(self) -> bool:
        return self._is_cancelled()

    def get_response_sender(self) -> InferenceResponseSender:
        self.sender.is_taken = True
        return self.sender

    def set_release_flags(self, flags: int) -> None:
        """Ask for the request to be executed again, with `TRITONSERVER_REQUEST_RELEASE_RESCHEDULE`."""
        if flags not in {RELEASE_ALL, RELEASE_RESCHEDULE}:
            raise TritonModelException(
                f"unknown release flags: {flags}; expected {RELEASE_ALL} or {RELEASE_RESCHEDULE}"
            )
        if flags == RELEASE_RESCHEDULE and not self._is_decoupled:
            raise TritonModelException("only requests of decoupled models can be rescheduled")
        self.is_to_come_again = flags == RELEASE_RESCHEDULE
