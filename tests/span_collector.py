"""A collector of OpenTelemetry's spans, over a real socket."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

TIMEOUT_S = 60


@dataclass(frozen=True)
class Collected:
    """A span as it arrived."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    attributes: dict[str, Any]
    error: str | None
    begun_ns: int
    ended_ns: int


class SpanCollector(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.spans: list[Collected] = []
        self.services: set[str] = set()
        self._come = threading.Event()
        self._server = grpc.server(ThreadPoolExecutor(2))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self._server)
        self.endpoint = f"http://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def Export(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802 - the RPC's name
        for resource in request.resource_spans:
            self.services.add(_values(resource.resource.attributes)["service.name"])
            self.spans += [_collected(span) for scope in resource.scope_spans for span in scope.spans]
        self._come.set()
        return trace_service_pb2.ExportTraceServiceResponse()

    def wait(self, condition: Callable[[list[Collected]], bool]) -> list[Collected]:
        until_s = time.monotonic() + TIMEOUT_S
        while not condition(list(self.spans)):
            assert time.monotonic() < until_s, self.spans
            self._come.wait(0.05)
            self._come.clear()
        return list(self.spans)

    def close(self) -> None:
        self._server.stop(0).wait()


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


def _collected(span: Any) -> Collected:
    return Collected(
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.kind,
        _values(span.attributes),
        span.status.message if span.status.code == span.status.STATUS_CODE_ERROR else None,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
    )
