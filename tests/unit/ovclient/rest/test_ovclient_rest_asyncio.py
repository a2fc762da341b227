"""What only `AsyncClient` must keep over REST: the loop, cancelled tasks, many tasks."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from http.server import BaseHTTPRequestHandler
from typing import Any

import numpy as np
import pytest

from canned_http import CannedServer, answer, inference
from ovclient import AsyncClient, ClientClosed, ConnectionFailed, DeadlineExceeded, MessageTooLarge, _aio_pool


class Held:
    """Answers that come when they are let go; `count` of them are waited for meanwhile."""

    def __init__(self, server: CannedServer) -> None:
        self.arrived = threading.Semaphore(0)
        self.over = threading.Event()
        self.ended = threading.Event()
        server.answer = self._answer

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.arrived.release()
        handler.connection.settimeout(0.01)
        while not self.over.is_set():
            try:
                if not handler.connection.recv(1):
                    self.ended.set()  # by the client
                    return
            except TimeoutError:
                continue
        handler.connection.settimeout(None)
        answer(200)(handler)

    async def wait(self, count: int) -> None:
        for _ in range(count):
            assert await asyncio.to_thread(self.arrived.acquire, timeout=30)


@pytest.fixture
def ask(server: CannedServer) -> Callable[[Callable[[AsyncClient], Coroutine[Any, Any, None]]], None]:
    """Run a coroutine with a client of the server."""

    def run(main: Callable[[AsyncClient], Coroutine[Any, Any, None]]) -> None:
        async def with_client() -> None:
            async with AsyncClient(server.address, timeout=30) as client:
                await main(client)

        asyncio.run(with_client())

    return run


def test_a_cancelled_task_ends_its_connection_and_no_other(server: CannedServer, ask: Any) -> None:
    held = Held(server)

    async def main(client: AsyncClient) -> None:
        kept, cancelled = (asyncio.create_task(client.metadata("m")) for _ in range(2))
        await held.wait(2)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert await asyncio.to_thread(held.ended.wait, 30)
        assert not kept.done()
        server.answer = answer(200)
        assert await client.live()
        kept.cancel()

    ask(main)
    held.over.set()


def test_the_loop_goes_on_while_calls_wait(server: CannedServer, ask: Any) -> None:
    held = Held(server)

    async def main(client: AsyncClient) -> None:
        tasks = [asyncio.create_task(client.live()) for _ in range(64)]
        await held.wait(64)  # all are under way at once
        held.over.set()
        assert all(await asyncio.gather(*tasks))

    ask(main)


def test_calls_beyond_the_most_wait_their_turn_within_their_time(
    server: CannedServer, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_aio_pool, "MOST", 2)
    held = Held(server)

    async def main(client: AsyncClient) -> None:
        tasks = [asyncio.create_task(client.live()) for _ in range(10)]
        await held.wait(2)
        with pytest.raises(DeadlineExceeded, match=r"within 0\.1 s"):
            await client.live(timeout=0.1)
        tasks.pop().cancel()
        held.over.set()
        assert all(await asyncio.gather(*tasks))

    ask(main)
    assert server.connections == 2


def test_close_ends_calls_under_way_and_those_that_wait(
    server: CannedServer, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_aio_pool, "MOST", 1)
    held = Held(server)

    async def main(client: AsyncClient) -> None:
        tasks = [asyncio.create_task(client.live()) for _ in range(3)]
        await held.wait(1)
        await client.close()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(end) for end in ends] == [ClientClosed] * 3

    ask(main)
    assert server.connections == 1


def test_a_refusal_before_all_was_sent_is_told(server: CannedServer, ask: Any) -> None:
    told = threading.Event()

    def refuse(handler: BaseHTTPRequestHandler) -> None:
        answer(413, b'{"error": "too much"}', connection="close")(handler)
        told.wait(30)

    server.answer = refuse
    server.reads_bodies = False

    async def main(client: AsyncClient) -> None:
        with pytest.raises(MessageTooLarge, match="too much"):
            await client.infer("m", {"x": np.zeros(5_000_000, np.float32)})
        told.set()

    ask(main)


def test_a_large_request_arrives_whole(server: CannedServer, ask: Any) -> None:
    x = np.arange(1_000_000, dtype=np.float32)
    server.answer = inference([])

    async def main(client: AsyncClient) -> None:
        await client.infer("m", {"x": x})

    ask(main)
    assert server.heard[0].body.endswith(x.tobytes())


def test_a_connection_that_the_server_ended_while_the_loop_was_busy_is_not_used(server: CannedServer, ask: Any) -> None:
    ended = threading.Event()

    def once(handler: BaseHTTPRequestHandler) -> None:
        answer(200)(handler)
        handler.close_connection = True

    server.answer = once
    server.on_finish = ended.set

    async def main(client: AsyncClient) -> None:
        await client.live()
        assert ended.wait(30)  # in the loop itself, which hears nothing meanwhile
        server.answer = answer(200)
        assert await client.live()

    ask(main)
    assert [heard.connection for heard in server.heard] == [1, 2]


def test_an_answer_to_nobody_spoils_the_connection(server: CannedServer, ask: Any) -> None:
    def twice(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n")

    server.answer = twice

    async def main(client: AsyncClient) -> None:
        assert await client.live()
        server.answer = answer(200)
        assert await client.live()

    ask(main)
    assert [heard.connection for heard in server.heard] == [1, 2]


def test_no_server_is_a_failed_connection_for_both_families(ask: Any) -> None:
    async def main(_: AsyncClient) -> None:
        async with AsyncClient("http://localhost:1") as client:  # both ::1 and 127.0.0.1
            with pytest.raises(ConnectionFailed, match=r"localhost:1: \[Errno 111\] Connection refused$"):
                await client.live()

    ask(main)
