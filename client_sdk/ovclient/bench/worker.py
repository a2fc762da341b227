"""A worker process: some of the clients of a crew, each in a thread, with a connection, or all in one stream."""

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from typing import BinaryIO, cast

from ovclient.bench.concurrency import MAX_CLIENTS
from ovclient.bench.loop import Tally, Window, closed_loop
from ovclient.bench.orders import Measure, Outcome, Setup, Stop, WarmUp, receive, send
from ovclient.bench.raw_client import RawClient, raw_client
from ovclient.bench.raw_stream import RawStreamClient
from ovclient.bench.streamed_loop import streamed_loop


class Worker:
    """The clients of one level after the other; `stop` may come from another thread."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._pool = ThreadPoolExecutor(MAX_CLIENTS)  # starts only as many threads as there are loops
        self._clients: Sequence[RawClient] = ()
        self._loops: list[Callable[[Window], Tally]] = []
        self._window = Window(0, 0)
        self._stopped = False

    def obey(self, order: WarmUp | Measure) -> Outcome:
        if isinstance(order, Measure):
            return self._run(Window(order.begin_ns, order.seconds))
        self._hang_up()
        self._connect(order.clients)
        return self._run(Window(time.perf_counter_ns(), order.seconds))

    def stop(self) -> None:
        self._stopped = True
        self._window.stop()
        self._hang_up()

    def _hang_up(self) -> None:
        for client in self._clients:
            client.close()

    def _connect(self, clients: range) -> None:
        arguments, requests = self._setup.client, self._setup.requests
        own = [requests[number % len(requests)] for number in clients]
        if self._setup.streaming:
            stream = RawStreamClient(**arguments)
            self._clients = [stream]
            self._loops = [partial(streamed_loop, stream, cast("list[bytes]", own))]
        else:
            self._clients = several = [raw_client(arguments) for _ in clients]
            self._loops = [partial(closed_loop, *each) for each in zip(several, own, strict=True)]

    def _run(self, window: Window) -> Outcome:
        self._window = window
        if self._stopped:
            window.stop()
        running = [self._pool.submit(loop, window) for loop in self._loops]
        window.await_begin()
        cpu_s = time.process_time()  # all threads, user and system; nothing but the loops runs from here on
        tallies = [loop.result() for loop in running]
        cpu_s = time.process_time() - cpu_s
        return Outcome(Tally.total(tallies), window.begin_ns, cpu_s)


def main() -> None:
    """Take orders from stdin and answer on stdout until stdin ends."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else prints must not come between the answers
    try:
        worker = Worker(receive(sys.stdin.buffer))
        orders: SimpleQueue[WarmUp | Measure] = SimpleQueue()
        threading.Thread(target=_listen, args=(sys.stdin.buffer, worker, orders), daemon=True).start()
        send(out, True)  # noqa: FBT003 - the word for "ready"
        while True:
            send(out, worker.obey(orders.get()))
    except (EOFError, BrokenPipeError):
        os._exit(0)


def _listen(stream: BinaryIO, worker: Worker, orders: "SimpleQueue[WarmUp | Measure]") -> None:
    try:
        while True:
            order = receive(stream)
            if isinstance(order, Stop):
                worker.stop()
            else:
                orders.put(order)
    except EOFError:  # the crew's process has ended, be it by a crash: nobody wants the rest
        os._exit(0)


if __name__ == "__main__":
    main()
