"""The worker processes of a benchmark, seen from the process that started them."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, BinaryIO, Self

from ovclient.bench.concurrency import grown, split
from ovclient.bench.level import Level
from ovclient.bench.orders import Measure, Setup, Stop, WarmUp, receive, send

_COMMAND = [sys.executable, "-P", "-m", "ovclient.bench.worker"]
_LEAD_NS = 30_000_000  # from the order to begin until all begin: time for the order to reach every process
_TELLING_WARM_UP_S = 0.1  # a shorter one is all connecting, and tells nothing of how busy a process will be
_TICK_S = 0.5
_END_TIMEOUT_S = 5


class WorkerLost(Exception):
    """A worker process ended before its work was done."""


class Crew:
    """Worker processes, kept from level to level; never forked, since gRPC would not survive it.

    There are `fixed` of them, or where that is None as few as suffice, found out while warming up, up to `cores`.
    """

    def __init__(self, setup: Setup, fixed: int | None, cores: int) -> None:
        self.interrupted = False
        self._setup = setup
        self._processes = fixed or 1
        self._cores = cores if fixed is None else 0
        self._words: SimpleQueue[tuple[int, Any]] = SimpleQueue()
        self._workers: list[subprocess.Popen[bytes]] = []
        self._listeners: list[threading.Thread] = []

    def measure(self, clients: int, warm_up_s: float, duration_s: float, tick: Callable[[], None]) -> Level:
        """One level; Ctrl-C while it is measured cuts it short and sets `interrupted`."""
        members = self._warm_up(clients, warm_up_s, tick)
        begin_ns = time.perf_counter_ns() + _LEAD_NS  # one clock for all processes of a machine
        said: dict[int, Any] = {}
        try:
            self._order(members, Measure(begin_ns, duration_s))
            self._gather(members, said, tick)
        except KeyboardInterrupt:
            self.interrupted = True
            self._order(members, Stop())
            self._gather(members, said, tick)
        return Level.of(clients, [said[number] for number in members])

    def _warm_up(self, clients: int, seconds: float, tick: Callable[[], None]) -> range:
        """Connect the clients, in more and more processes until none is too busy; the processes that have them."""
        while True:
            shares = split(clients, self._processes)
            members = range(len(shares))
            self._enlist(len(shares))
            for number, share in enumerate(shares):
                self._order([number], WarmUp(share, seconds))
            said: dict[int, Any] = {}
            self._gather(members, said, tick)
            busy = max(outcome.busy for outcome in said.values())
            processes = grown(len(shares), busy, clients, self._cores)
            if processes == len(shares) or seconds < _TELLING_WARM_UP_S:
                return members
            self._processes = processes

    def _enlist(self, count: int) -> None:
        """Have at least so many processes that can take orders."""
        fresh = range(len(self._workers), count)
        for number in fresh:
            worker = _start()
            listener = threading.Thread(target=_listen, args=(worker.stdout, number, self._words), daemon=True)
            self._workers.append(worker)
            self._listeners.append(listener)
            listener.start()
        self._order(fresh, self._setup)
        self._gather(fresh, {})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker, listener in zip(self._workers, self._listeners, strict=True):
            _end(worker)
            listener.join()
            _pipe(worker.stdout).close()

    def _order(self, members: Iterable[int], word: object) -> None:
        for number in members:
            try:
                send(_pipe(self._workers[number].stdin), word)
            except BrokenPipeError as error:
                raise WorkerLost from error

    def _gather(self, members: range, said: dict[int, Any], tick: Callable[[], None] = lambda: None) -> None:
        """Wait until each of `members` has said one word."""
        while len(said) < len(members):
            try:
                number, word = self._words.get(timeout=_TICK_S)
            except Empty:
                tick()
                continue
            if word is None:
                raise WorkerLost
            said[number] = word


def _start() -> "subprocess.Popen[bytes]":
    """A worker that imports from where this process does, and that a terminal's Ctrl-C does not reach."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    pipe = subprocess.PIPE
    return subprocess.Popen(_COMMAND, stdin=pipe, stdout=pipe, env=environment, process_group=0)  # noqa: S603 - our own


def _listen(stream: BinaryIO, number: int, words: "SimpleQueue[tuple[int, Any]]") -> None:
    try:
        while True:
            words.put((number, receive(stream)))
    except EOFError:
        words.put((number, None))


def _end(worker: "subprocess.Popen[bytes]") -> None:
    """A worker ends by itself when its orders end."""
    with suppress(BrokenPipeError):
        _pipe(worker.stdin).close()
    try:
        worker.wait(_END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


def _pipe(stream: Any) -> BinaryIO:
    pipe: BinaryIO = stream  # Popen's type cannot say that there is one
    return pipe
