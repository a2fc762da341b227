"""The workers that serve now: started, joined, heard, and started anew when they die."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

from ovserve.errors import CannotStart
from ovserve.observability import logs
from ovserve.observability.logs import get_logger
from ovserve.processes.channel import Frame
from ovserve.processes.restarts import Restarts
from ovserve.workers.crew.worker import Worker
from ovserve.workers.letters.conversation import Head, Pending

# A worker that does not even listen any more is of no use to anybody.
DEAF_S = 60.0

Take: TypeAlias = Callable[[Worker, Frame], None]

logger = get_logger("ovserve.workers")


class Owner(Protocol):
    """Whose workers they are; `take` and `left` are called in the thread that receives, which must not wait."""

    def begin(self, number: int) -> Head:
        """Make what a worker is told first."""
        ...

    def take(self, worker: Worker, frame: Frame) -> None:
        """Take what a worker says."""
        ...

    def missing(self, worker: Worker) -> Sequence[Pending]:
        """Have it load what it lacks; nothing where there is nothing to wait for. Called with the lock."""
        ...

    def joins(self, worker: Worker) -> None:
        """Tell it everything. Called with the lock."""
        ...

    def joined(self, worker: Worker) -> None: ...

    def left(self, worker: Worker) -> None:
        """It has ended, whatever it had been; called before it is no member any more."""
        ...


class Workers:
    """Whoever holds `lock` may tell all workers something, and none joins meanwhile."""

    def __init__(self, owner: Owner) -> None:
        self.lock = threading.RLock()
        self.members: tuple[Worker, ...] = ()
        self.all: tuple[Worker, ...] = ()  # those too that are not up to date yet
        self._owner = owner
        self._changed = threading.Condition()
        self._failure: str | None = None
        self._count = 0
        self._has_begun = False
        self._stopping = False
        self._restarts: dict[int, Restarts] = {}
        self._joined_s: dict[int, float] = {}

    def start(self, count: int) -> None:
        """Start so many, and do not wait for them."""
        self._count = count
        for number in range(2, count + 2):
            self._restarts[number] = Restarts()
            self._start(number)

    def wait_until_all(self) -> None:
        """Wait for them to be there; raises `CannotStart` where one ended instead."""
        with self._changed:
            self._changed.wait_for(lambda: self._failure is not None or len(self.members) == self._count)
            self._has_begun = True
            if self._failure is not None:
                raise CannotStart(self._failure)

    def say_all(self, kind: str, **head: Any) -> None:
        with self.lock:
            for worker in self.members:
                worker.say(kind, **head)

    def ask_all(self, kind: str, *, timeout_s: float = DEAF_S, **head: Any) -> None:
        """Tell all, and wait until it holds."""
        self.each(lambda worker: worker.begin(kind, **head), timeout_s=timeout_s)

    def each(self, begin: Callable[[Worker], Pending | None], *, timeout_s: float = DEAF_S) -> None:
        """Ask each worker something, all at once, and wait; one that does not answer in time is ended."""
        with self.lock:
            asked = [(worker, begin(worker)) for worker in self.members]
            until_s = time.monotonic() + timeout_s
            for worker, pending in asked:
                if pending is None or pending.get(max(0.0, until_s - time.monotonic())) is not None:
                    continue
                if worker in self.members and not self._stopping and not worker.process.wait(0):
                    logger.error("a worker does not answer and is ended", worker=worker.number, pid=worker.pid)
                    worker.process.kill()

    def stop(self) -> None:
        """Start none anew from now on, and end those that are no members yet."""
        with self.lock:
            self._stopping = True
            members = self.members
        for worker in self.all:
            if worker not in members:
                worker.process.kill()

    # What comes from a worker, in the thread that receives

    def take(self, worker: Worker, frame: Frame) -> None:
        head = frame.head
        match head["kind"]:
            case "log":
                logs.relay(head["logger"], head["level"], {**head["fields"], "worker": worker.number})
            case "hello":
                threading.Thread(target=self._join, args=(worker,), name="worker-joins", daemon=True).start()
            case "failed":
                self._failure = head["sentence"]
            case _:
                self._owner.take(worker, frame)

    def ended(self, worker: Worker, how: str) -> None:
        self._owner.left(worker)
        with self._changed:
            self.members = tuple(each for each in self.members if each is not worker)
            self.all = tuple(each for each in self.all if each is not worker)
            if not self._has_begun and self._failure is None:
                self._failure = f"worker {worker.number} of --grpc_workers ended with {how} before it was ready"
            self._changed.notify_all()
        if self._stopping or not self._has_begun:
            return
        joined_s = self._joined_s.pop(worker.number, None)
        delay_s = self._restarts[worker.number].delay_s(0.0 if joined_s is None else time.monotonic() - joined_s)
        fields = {"worker": worker.number, "pid": worker.pid, "cause": how}
        logger.error("a worker has ended, another takes its place", **fields, after_seconds=delay_s)
        timer = threading.Timer(delay_s, self._start, (worker.number,))
        timer.daemon = True
        timer.start()

    def _start(self, number: int) -> None:
        if self._stopping:
            return
        try:
            worker = Worker(number, self)
        except OSError as error:
            self._fail_to_start(number, error)
            return
        with self._changed:
            self.all += (worker,)
        worker.conversation.say({"kind": "begin", **self._owner.begin(number)})

    def _fail_to_start(self, number: int, error: OSError) -> None:
        if not self._has_begun:
            raise CannotStart(f"worker {number} of --grpc_workers cannot be started: {error.strerror}") from error
        delay_s = self._restarts[number].delay_s(0.0)
        logger.error("a worker cannot be started", worker=number, cause=error.strerror, after_seconds=delay_s)
        timer = threading.Timer(max(1.0, delay_s), self._start, (number,))
        timer.daemon = True
        timer.start()

    def _join(self, worker: Worker) -> None:
        """Have it load what the others have, and be one of them when nothing is missing any more."""
        while True:
            with self.lock:
                if self._stopping:
                    return
                loading = self._owner.missing(worker)
                if not loading:
                    self._owner.joins(worker)
                    with self._changed:
                        if worker not in self.all:
                            return  # it has ended meanwhile
                        self.members += (worker,)
                    break
            for pending in loading:
                pending.get()
        if worker.conversation.ask({"kind": "sync"}) is None:
            return
        self._joined_s[worker.number] = time.monotonic()
        with self._changed:
            self._changed.notify_all()
        self._owner.joined(worker)
        logger.info("worker ready", worker=worker.number, pid=worker.pid)
