"""What Python models may ask of the server: other models, and metrics of their own."""

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from ovserve.engine.python_backend.instance import Answer, Call, Reply
from ovserve.errors import Cancelled, InferenceFailed, NotReady, OVServeError
from ovserve.observability.logs import get_logger
from ovserve.requests import Caller, InferRequest, InferResponse, Patient
from ovserve.serving.call_graph import CallGraph
from ovserve.serving.own_metrics import OwnMetrics
from ovserve.serving.presence import Presence
from ovserve.serving.servable import SendResponse

_DEEPEST = 8

logger = get_logger("ovserve.python")


class Peers(Protocol):
    """All models and pipelines of the server: the data plane."""

    def call(
        self, request: InferRequest, caller: Caller, send: SendResponse, *, many: bool, admitted: bool
    ) -> None: ...

    def model_ready(self, name: str, version: int | None) -> bool: ...


class Hosts:
    """Makes a host for each model; they share what is known of who calls whom, and the metrics."""

    def __init__(self, peers: Peers, own: OwnMetrics) -> None:
        self.graph = CallGraph()
        # A model must not keep those alive that it is one of, or it would never finalize.
        self._peers = weakref.ref(peers)
        self._own = own

    def make(self, model: str) -> "ModelHost":
        return ModelHost(model, self._peers, self.graph, self._own)


class ModelHost:
    """The host of one model (a `Host`)."""

    def __init__(self, model: str, peers: "weakref.ref[Peers]", graph: CallGraph, own: OwnMetrics) -> None:
        self._model = model
        self._peers = peers
        self._graph = graph
        self._own = own

    def call(self, call: Call, take: Callable[[Reply], bool]) -> None:
        def send(response: InferResponse | OVServeError | None, *, final: bool) -> None:  # noqa: ARG001 - the return says it
            reply = Answer(response.outputs, response.parameters) if isinstance(response, InferResponse) else response
            if reply is not None and not take(reply):
                raise Cancelled(f"model '{self._model}' does not read the responses of model '{call.model}' any more")

        try:
            request = self._request(call)
            waits = not self._graph.add(self._model, call.model)
            with _caller(call) as caller:
                self._reached().call(request, caller, send, many=call.many, admitted=waits)
        except OVServeError as error:
            take(error)
        except Exception:
            logger.exception("a model's request to another failed", model=self._model, other=call.model)
            take(OVServeError("internal error: the server's log has the details"))

    def _request(self, call: Call) -> InferRequest:
        outer = call.on_behalf_of
        within = (*(() if outer is None else outer.within), self._model)
        if len(within) > _DEEPEST:
            path = ", ".join(f"'{name}'" for name in within)
            raise InferenceFailed(
                f"model '{self._model}' calls model '{call.model}' within {path}: "
                f"calls may be nested at most {_DEEPEST} deep"
            )
        return InferRequest(
            call.model,
            call.inputs,
            call.version,
            call.wanted,
            call.id,
            parameters=call.parameters,
            sequence=call.sequence,
            priority=call.priority,
            timeout_us=call.timeout_us,
            within=within,
        )

    def is_ready(self, model: str, version: int | None) -> bool:
        return self._reached().model_ready(model, version)

    def _reached(self) -> Peers:
        peers = self._peers()
        if peers is None:
            raise NotReady("the server has stopped")
        return peers

    def make_metric(
        self, name: str, kind: str, description: str, labels: Mapping[str, str], buckets: Sequence[float]
    ) -> int:
        return self._own.make(name, kind, description, labels, buckets)

    def change_metric(self, metric: int, operation: str, value: float) -> None:
        self._own.change(metric, operation, value)

    def read_metric(self, metric: int) -> float:
        return self._own.read(metric)

    def drop_metric(self, metric: int) -> None:
        self._own.drop(metric)


@contextmanager
def _caller(call: Call) -> Iterator[Caller]:
    """Find who waits for the answer: whoever waits for the request in whose execution the call is made."""
    outer = None if call.on_behalf_of is None else call.on_behalf_of.caller
    if isinstance(outer, Presence):
        with outer.part() as part:
            yield part
    else:
        yield outer or Patient()
