"""`AsyncClient` as if it were `Client`: its event loop runs in a thread of its own."""

import asyncio
import threading
from types import TracebackType
from typing import Any, Self

from ovclient import AsyncClient


class LoopedClient:
    """Takes what `AsyncClient` takes; its methods wait for their answers, in any thread."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        self._client = AsyncClient(*arguments, **settings)
        self.address = self._client.address

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def ask(*arguments: Any, **named: Any) -> Any:
            return asyncio.run_coroutine_threadsafe(method(*arguments, **named), self._loop).result(120)

        return ask

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
