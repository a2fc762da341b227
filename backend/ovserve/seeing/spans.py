"""OpenTelemetry's spans of inference requests, in the trace that the client is in.

Imported only where they are asked for. A span is made when its request is done, from what became of it: nothing is
touched meanwhile. Batches go out from a thread of their own; what finds no room in its bounded queue, or no collector,
is dropped. Whatever is not set here follows OpenTelemetry's environment variables.
"""

import atexit
import logging
import threading
from collections.abc import Iterator

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ovserve.observability import logs
from ovserve.ran import NodeRun
from ovserve.seeing.outcome import OK, Outcome, Times
from ovserve.version import VERSION

_US = 1000  # nanoseconds
_AT_EXIT_S = 5.0


class Spans:
    """Makes the spans of one process and hands them to `processor`."""

    def __init__(self, processor: SpanProcessor) -> None:
        # Not the provider of the whole process, which belongs to whoever else lives in it.
        self._provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("ovserve", VERSION)
        self._propagator = TraceContextTextMapPropagator()
        atexit.register(self.close, _AT_EXIT_S)

    def record(self, outcome: Outcome) -> None:
        """Make the span of a request, with others within for its stages where a model ran."""
        begun_ns = outcome.begun_ns
        span = self._tracer.start_span(
            "infer",
            self._propagator.extract(outcome.headers),
            SpanKind.INTERNAL if outcome.door.interface == "in-process" else SpanKind.SERVER,
            dict(_attributes(outcome)),
            start_time=begun_ns,
        )
        if span.is_recording():
            if outcome.code != OK:
                span.set_status(Status(StatusCode.ERROR, outcome.reason))
            times = outcome.times
            if times is not None:
                self._record_stages(span, outcome, times)
        span.end(begun_ns + outcome.total_ns)

    def _record_stages(self, parent: Span, outcome: Outcome, times: Times) -> None:
        """Put the wait first, although a request may have waited between its stages, or after them, too."""
        context = set_span_in_context(parent)
        queued_ns = outcome.begun_ns + outcome.before_ns
        begun_ns = queued_ns + times.queue_ns + times.input_ns
        ended_ns = begun_ns + times.infer_ns
        nodes = () if outcome.ran is None else outcome.ran.nodes
        epoch_ns = outcome.begun_ns - outcome.started_ns
        if nodes:  # of which it is known when they ran
            begun_ns = min(begun_ns, epoch_ns + min(node.begun_ns for node in nodes))
            ended_ns = max(ended_ns, epoch_ns + max(node.begun_ns + node.took_ns for node in nodes))
        queue = self._tracer.start_span("queue", context, start_time=queued_ns)
        queue.end(min(queued_ns + times.queue_ns, begun_ns))
        attributes = {
            "ovserve.compute_input_us": times.input_ns // _US,
            "ovserve.compute_output_us": times.output_ns // _US,
        }
        run = self._tracer.start_span("run", context, attributes=attributes, start_time=begun_ns)
        for node in nodes:
            self._record_node(run, node, epoch_ns)
        run.end(ended_ns)

    def _record_node(self, parent: Span, run: NodeRun, epoch_ns: int) -> None:
        attributes: dict[str, str | int] = {
            "ovserve.node": run.node,
            "ovserve.model": run.model,
            "ovserve.version": str(run.version),
            "ovserve.infer_us": run.infer_ns // _US,
        }
        begun_ns = epoch_ns + run.begun_ns
        span = self._tracer.start_span("node", set_span_in_context(parent), attributes=attributes, start_time=begun_ns)
        span.end(begun_ns + run.took_ns)

    def close(self, timeout_s: float) -> None:
        """Send what is left, for `timeout_s` seconds at most; what ends afterwards is dropped."""
        sending = threading.Thread(target=self._provider.shutdown, name="last-spans", daemon=True)
        sending.start()
        sending.join(timeout_s)
        atexit.unregister(self.close)


def to_collector(endpoint: str | None) -> Spans:
    """Make spans that go to the collector at `endpoint`, or to where the environment says."""
    logs.adopt("opentelemetry")
    logging.getLogger("opentelemetry.util.re").addFilter(_without_headers)
    return Spans(BatchSpanProcessor(OTLPSpanExporter(endpoint)))


def _without_headers(record: logging.LogRecord) -> bool:
    """Have a header of OTEL_EXPORTER_OTLP_HEADERS that is malformed told without what it holds: mostly a key."""
    if record.args:
        record.args = ("...",)
    return True


def _resource() -> Resource:
    resource = Resource.create({SERVICE_VERSION: VERSION})
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        return resource.merge(Resource({SERVICE_NAME: "ovserve"}))
    return resource


def _attributes(outcome: Outcome) -> Iterator[tuple[str, str | int]]:
    if outcome.door.interface == "gRPC":
        yield "rpc.system", "grpc"
    yield "ovserve.api", outcome.door.api
    yield "ovserve.interface", outcome.door.interface
    yield "ovserve.model", outcome.model
    if outcome.version is not None:
        yield "ovserve.version", str(outcome.version)
    if outcome.request_id:
        yield "ovserve.request_id", outcome.request_id
    yield "ovserve.code", outcome.code
