"""Spans of a request whose waits lie elsewhere than where they are put."""

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ovserve.ran import NodeRun, Ran
from ovserve.requests import Door
from ovserve.seeing.outcome import Outcome
from ovserve.seeing.spans import Spans

BEGUN_NS, STARTED_NS = 1_000_000, 5_000
NODES = (NodeRun("first", "a", 1, STARTED_NS + 10, 30, 30), NodeRun("second", "b", 1, STARTED_NS + 40, 30, 30))


@pytest.mark.parametrize("waited_ns", [0, 20], ids=["nowhere", "after its nodes"])
def test_a_run_spans_all_of_its_nodes(waited_ns: int) -> None:
    spans = recorded(waited_ns)
    run, queue, nodes = spans["run"], spans["queue"], (spans["first"], spans["second"])
    assert run.start_time <= nodes[0].start_time < nodes[1].end_time <= run.end_time
    assert queue.start_time <= queue.end_time <= run.start_time
    assert spans["infer"].start_time <= queue.start_time
    assert run.end_time <= spans["infer"].end_time


def recorded(waited_ns: int) -> dict[str, ReadableSpan]:
    """The spans, nodes by their own names, of a pipeline that waited so long between its last node and its answer."""
    exporter = InMemorySpanExporter()
    spans = Spans(SimpleSpanProcessor(exporter))
    inside_ns = 65 + waited_ns
    ran = Ran({}, 60, nodes=NODES)
    door = Door("KServe", "gRPC")
    spans.record(Outcome(door, "p", 1, "", {}, "OK", "", BEGUN_NS, 5, inside_ns, inside_ns + 10, ran, {}, STARTED_NS))
    spans.close(5)
    return {str(span.attributes.get("ovserve.node", span.name)): span for span in exporter.get_finished_spans()}
