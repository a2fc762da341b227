"""A version that the server alone has: requests of it go there."""

from ovserve.requests import Caller, InferRequest, InferResponse
from ovserve.serving.in_flight import InFlight
from ovserve.serving.only_response import OnlyResponse
from ovserve.serving.servable import SendResponse, Streaming
from ovserve.serving.statistics import Statistics
from ovserve.tensors import TensorSpec
from ovserve.workers.letters.described import Described
from ovserve.workers.member.server_side import ServerSide


class Forwarded:
    """A `Servable`; what the server counts of it is not counted here once more."""

    def __init__(self, number: int, described: Described, server: ServerSide) -> None:
        self.config = described.config
        self.metadata = described.metadata
        self.taken: tuple[TensorSpec, ...] = described.taken
        self.slots = described.slots
        self.streams = described.streams
        self.running = 0
        self.admitted_at_once = described.admitted_at_once
        self.note = described.note
        self.warnings = described.warnings
        self.described = described.described
        self.labels = described.labels
        self.in_flight = InFlight()
        self.statistics = Statistics()
        self._number = number
        self._server = server

    def infer(self, request: InferRequest, caller: Caller, *, admitted: bool = False) -> InferResponse:
        only = OnlyResponse(f"model '{self.metadata.name}' version {self.metadata.version}")
        self._infer(request, caller, only.take, streams=False, admitted=admitted)
        return only.get()

    def _infer(
        self, request: InferRequest, caller: Caller, send: SendResponse, *, streams: bool, admitted: bool
    ) -> None:
        request.settle()
        with self.in_flight:
            self._server.infer(self._number, request, caller, send, streams=streams, admitted=admitted)


class ForwardedStreaming(Forwarded, Streaming):
    """One that is `Streaming` there."""

    def infer_stream(
        self, request: InferRequest, caller: Caller, send: SendResponse, *, admitted: bool = False
    ) -> None:
        self._infer(request, caller, send, streams=True, admitted=admitted)

    def is_ready(self) -> bool:
        return self._server.is_ready(self._number)


def forwarded(number: int, described: Described, server: ServerSide) -> Forwarded:
    kind = ForwardedStreaming if described.streams_responses else Forwarded
    return kind(number, described, server)
