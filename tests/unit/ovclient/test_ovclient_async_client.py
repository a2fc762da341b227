import asyncio
import threading

import numpy as np
import pytest

from ovclient import AsyncClient, ClientClosed, DeadlineExceeded, NotFound
from ovclient.testing import FakeServer


@pytest.fixture(params=["grpc", "rest"])
def address(request: pytest.FixtureRequest, server: FakeServer) -> str:
    return server.address if request.param == "grpc" else server.rest_address


def test_every_call_answers_as_in_the_sync_client(address: str) -> None:
    async def main() -> None:
        async with AsyncClient(address) as client:
            assert await client.live()
            assert await client.ready()
            assert await client.ready("echo")
            assert (await client.server_metadata()).name == "FakeServer"
            assert (await client.metadata("echo")).inputs[0].name == "x"
            assert [model.name for model in await client.repository_index()] == ["echo"]
            assert (await client.infer("echo", np.float32([1])))["x"].tolist() == [1]

    asyncio.run(main())


def test_many_tasks_share_one_client(address: str) -> None:
    async def main() -> list[int]:
        async with AsyncClient(address) as client:
            results = await asyncio.gather(*(client.infer("echo", {"x": np.int32([n])}) for n in range(50)))
            return [int(result["x"][0]) for result in results]

    assert asyncio.run(main()) == list(range(50))


def test_a_client_may_be_made_before_the_loop_runs(address: str) -> None:
    client = AsyncClient(address)

    async def main() -> bool:
        async with client:
            return await client.live()

    assert asyncio.run(main())


def test_errors_are_the_same(address: str) -> None:
    async def main() -> None:
        async with AsyncClient(address) as client:
            with pytest.raises(NotFound, match="'nope'"):
                await client.metadata("nope")

    asyncio.run(main())


def test_a_cancelled_task_is_cancelled_and_a_closed_client_says_closed(server: FakeServer, address: str) -> None:
    started, release = threading.Event(), threading.Event()
    server.add_model("slow", lambda _: {"y": [started.set(), release.wait(30)]})

    async def main() -> None:
        client = AsyncClient(address)
        task = asyncio.create_task(client.infer("slow", {}))
        await asyncio.to_thread(started.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        started.clear()
        task = asyncio.create_task(client.infer("slow", {}))
        await asyncio.to_thread(started.wait, 20)
        await client.close()
        with pytest.raises(ClientClosed, match="closed during the call"):
            await task
        with pytest.raises(ClientClosed, match="is closed"):
            await client.live()

    asyncio.run(main())
    release.set()


def test_the_deadline_ends_a_call(server: FakeServer, address: str) -> None:
    release = threading.Event()
    server.add_model("slow", lambda _: {"y": [release.wait(30)]})

    async def main() -> None:
        async with AsyncClient(address) as client:
            with pytest.raises(DeadlineExceeded, match=r"within 0\.2 s"):
                await client.infer("slow", {}, timeout=0.2)

    asyncio.run(main())
    release.set()
