"""Those who wait for an answer over HTTP, and the threads in which it is made."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from starlette.requests import Request

from ovserve.handler_threads import HandlerThreads
from ovserve.leaving_caller import LeavingCaller

ResultT = TypeVar("ResultT")


async def in_thread(threads: HandlerThreads, request: Request, work: Callable[[LeavingCaller], ResultT]) -> ResultT:
    """Have `work` done in a thread; its caller leaves when the connection, whose body has been read, ends."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[ResultT] = loop.create_future()
    caller = LeavingCaller()

    def tell(outcome: Callable[[], None]) -> None:
        if not done.done():
            outcome()

    def run() -> None:
        try:
            outcome = partial(done.set_result, work(caller))
        except Exception as raised:  # noqa: BLE001 - it is raised again where it is awaited
            outcome = partial(done.set_exception, raised)
        with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
            loop.call_soon_threadsafe(tell, outcome)

    threads.submit(run)
    watching = loop.create_task(_leave_with(request, caller))
    try:
        return await done
    except asyncio.CancelledError:
        caller.leave()
        raise
    finally:
        watching.cancel()


async def _leave_with(request: Request, caller: LeavingCaller) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    caller.leave()
