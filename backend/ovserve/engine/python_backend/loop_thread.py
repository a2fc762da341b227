"""A thread with an event loop, for a model whose `execute` is `async def`."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

_LAST_WORDS_S = 5  # for what is cancelled when the model goes


class LoopThread:
    """Runs coroutines for a thread that waits; what they leave running goes on between requests."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def result_of(self, awaitable: Awaitable[Any]) -> Any:
        """Wait for its result; raises what it raised."""
        result, error = asyncio.run_coroutine_threadsafe(_outcome(awaitable), self._loop).result()
        if error is not None:
            raise error
        return result

    def start(self, awaitable: Awaitable[Any], failed: Callable[[BaseException], None]) -> None:
        """Have it run, and call `failed` with what it raises."""
        asyncio.run_coroutine_threadsafe(_watched(awaitable, failed), self._loop)

    def close(self) -> None:
        """Cancel what still runs, and end the thread."""
        self._is_closing = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        while not self._is_closing:
            with suppress(SystemExit, KeyboardInterrupt):  # a task raised it, which ends the task alone
                self._loop.run_forever()
        with suppress(SystemExit, KeyboardInterrupt):
            self._loop.run_until_complete(_cancel_the_others())
        self._loop.close()


async def _cancel_the_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=_LAST_WORDS_S)


async def _outcome(awaitable: Awaitable[Any]) -> tuple[Any, BaseException | None]:
    """Keep what is raised out of the loop, which SystemExit would end."""
    try:
        return await awaitable, None
    except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
        return None, error


async def _watched(awaitable: Awaitable[Any], failed: Callable[[BaseException], None]) -> None:
    _, error = await _outcome(awaitable)
    if error is not None:
        failed(error)
