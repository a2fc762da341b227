"""The requests that `ovclient bench --streaming` has in flight on one stream, against a plain gRPC server."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest
from tritonclient.grpc import service_pb2 as pb

from ovclient import ClientClosed
from ovclient.bench.loop import Tally, Window
from ovclient.bench.raw_stream import RawStreamClient
from ovclient.bench.streamed_loop import streamed_loop

Behaviour = Callable[[Iterator[pb.ModelInferRequest], grpc.ServicerContext], Iterable[bytes]]

REQUEST = pb.ModelInferRequest(model_name="m", raw_input_contents=[b"1234"]).SerializeToString()
LONG_S = 60.0


def answer(request: pb.ModelInferRequest, error: str = "") -> bytes:
    said = pb.ModelInferResponse(model_name="m", id=request.id)
    return pb.ModelStreamInferResponse(infer_response=said, error_message=error).SerializeToString()


@contextmanager
def serving(behaviour: Behaviour, timeout: float = LONG_S) -> Iterator[RawStreamClient]:
    """A client of a server whose ModelStreamInfer is `behaviour`."""
    method = grpc.stream_stream_rpc_method_handler(behaviour, pb.ModelInferRequest.FromString, None)
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("inference.GRPCInferenceService", {"ModelStreamInfer": method})]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    client = RawStreamClient(f"127.0.0.1:{port}", timeout=timeout)
    try:
        yield client
    finally:
        client.close()
        server.stop(None).wait()


def loop(client: RawStreamClient, in_flight: int, seconds: float) -> Tally:
    return streamed_loop(client, [REQUEST] * in_flight, Window(time.perf_counter_ns(), seconds))


def test_so_many_are_in_flight_and_answers_may_come_in_another_order() -> None:
    groups: list[list[pb.ModelInferRequest]] = []

    def in_groups(requests: Iterator[pb.ModelInferRequest], _: grpc.ServicerContext) -> Iterator[bytes]:
        for first in requests:
            groups.append([first, *(next(requests) for _ in range(3))])
            yield from map(answer, reversed(groups[-1]))

    with serving(in_groups) as client:
        tally = loop(client, 4, 0.0)
        assert (len(tally.latencies_ns), tally.errors) == (4, {})
    assert len({request.id for request in groups[0]}) == 4
    for request in groups[0]:
        request.id = ""
        assert request.SerializeToString() == REQUEST


def test_each_is_sent_again_when_it_is_answered_and_the_stream_stays_from_window_to_window() -> None:
    streams = []

    def answer_each(requests: Iterator[pb.ModelInferRequest], _: grpc.ServicerContext) -> Iterator[bytes]:
        streams.append(1)
        yield from map(answer, requests)

    with serving(answer_each) as client:
        for _ in range(2):
            tally = loop(client, 3, 0.1)
            assert len(tally.latencies_ns) > 3
            assert tally.errors == {}
    assert len(streams) == 1


def test_what_was_sent_is_waited_for() -> None:
    closed = threading.Event()

    def late(requests: Iterator[pb.ModelInferRequest], _: grpc.ServicerContext) -> Iterator[bytes]:
        for request in requests:
            assert closed.wait(LONG_S)
            yield answer(request)

    with serving(late) as client, ThreadPoolExecutor(1) as pool:
        window = Window(time.perf_counter_ns(), 0.01)
        running = pool.submit(streamed_loop, client, [REQUEST] * 2, window)
        with pytest.raises(TimeoutError):
            running.result(0.1)
        closed.set()
        tally = running.result(LONG_S)
    assert len(tally.latencies_ns) == 2
    assert min(tally.latencies_ns) > 0.09e9


def test_a_failed_request_waits_and_holds_up_no_other() -> None:
    def first_fails(requests: Iterator[pb.ModelInferRequest], _: grpc.ServicerContext) -> Iterator[bytes]:
        for request in requests:
            yield answer(request, "no\nroom" if request.id == "0" else "")

    with serving(first_fails) as client:
        tally = loop(client, 2, 0.3)
    failures = tally.errors["ServerFailure"]
    assert failures.message == "no\nroom"
    assert 1 <= failures.count <= 30
    assert len(tally.latencies_ns) > failures.count


def test_a_request_that_gets_no_answer_in_time_is_given_up_under_its_id() -> None:
    ids: list[str] = []

    def never_the_first(requests: Iterator[pb.ModelInferRequest], _: grpc.ServicerContext) -> Iterator[bytes]:
        for request in requests:
            ids.append(request.id)
            if request.id != "0":
                yield answer(request)

    with serving(never_the_first, timeout=0.5) as client:
        tally = loop(client, 2, 1.5)
        assert tally.errors["DeadlineExceeded"].message == f"{client.address}: no answer in 0.5 s"
    assert tally.errors["DeadlineExceeded"].count == 1
    assert set(ids) == {"0", "1", "2"}


def test_a_broken_stream_fails_every_request_until_the_window_closes() -> None:
    def refuse(requests: Iterator[pb.ModelInferRequest], context: grpc.ServicerContext) -> Iterator[bytes]:
        next(requests)
        context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "no more streams")
        yield b""

    with serving(refuse) as client:
        tally = loop(client, 2, 0.05)
    assert list(tally.errors) == ["RESOURCE_EXHAUSTED"]
    assert tally.errors["RESOURCE_EXHAUSTED"].message == "no more streams"
    assert tally.errors["RESOURCE_EXHAUSTED"].count >= 2
    assert not tally.latencies_ns


def test_a_stream_that_the_server_ends_is_no_benchmark() -> None:
    def end(requests: Iterator[pb.ModelInferRequest], _: grpc.ServicerContext) -> Iterator[bytes]:
        yield answer(next(requests))

    with serving(end) as client, pytest.raises(ClientClosed, match="the stream has ended"):
        loop(client, 2, LONG_S)


def test_an_answer_that_is_no_message_ends_the_stream() -> None:
    with serving(lambda requests, _: (b"\xff" for _ in requests)) as client:
        tally = loop(client, 2, 0.0)
        assert tally.errors["BadResponse"].message == f"the answer of {client.address} is no message of this protocol"
    assert tally.errors["BadResponse"].count == 2


def test_another_thread_can_cut_it_off() -> None:
    some = threading.Event()

    def answer_some(requests: Iterator[pb.ModelInferRequest], _: grpc.ServicerContext) -> Iterator[bytes]:
        yield from (answer(next(requests)) for _ in range(5))
        some.set()
        yield from (b"" for _ in requests if False)

    with serving(answer_some) as client, ThreadPoolExecutor(1) as pool:
        window = Window(time.perf_counter_ns(), LONG_S)
        running = pool.submit(streamed_loop, client, [REQUEST] * 2, window)
        assert some.wait(LONG_S)
        window.stop()
        client.close()
        tally = running.result(LONG_S)
        assert len(tally.latencies_ns) <= 5
        assert tally.errors == {}
        assert streamed_loop(client, [REQUEST] * 2, window).errors == {}


def test_a_client_that_was_closed_before_it_sent_measures_nothing() -> None:
    client = RawStreamClient("127.0.0.1:1")
    window = Window(time.perf_counter_ns(), LONG_S)
    window.stop()
    client.close()
    assert streamed_loop(client, [REQUEST] * 2, window) == Tally()
