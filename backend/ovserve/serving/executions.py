"""Has the instances of a Python model execute requests: each by itself or, with dynamic_batching, in groups."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from time import perf_counter_ns

from ovserve.config.model import ModelConfig
from ovserve.engine.pool import Queue, SlotPool
from ovserve.engine.python_backend.instance import Asked, Instance, Later, Result
from ovserve.errors import Cancelled, DeadlineExceeded, OVServeError, WrongShape
from ovserve.requests import Patient
from ovserve.serving.batching.batcher import Batcher, Wish
from ovserve.serving.batching.configured import configured_batcher
from ovserve.serving.batching.rows import count_rows
from ovserve.serving.company import Company
from ovserve.serving.in_time import result_in_time
from ovserve.serving.presence import Presence


@dataclass(frozen=True, slots=True)
class Executed:
    """What became of a request, and how long `execute` took; `size` is as `Ran.executed`."""

    result: Result
    took_ns: int
    size: int | None = None


class Executions:
    """Lends each instance to one request, or to one group of them, at a time."""

    def __init__(self, config: ModelConfig, instances: Sequence[Instance], label: str) -> None:
        declared = config.declared
        slots = len(instances)
        self._label = label
        self._most = 0 if declared is None else declared.max_batch_size
        self._ragged = set() if declared is None else {tensor.name for tensor in declared.inputs if tensor.is_ragged}
        self._turns = SlotPool(instances, Queue(label, config.queue_for(slots), config.queue_timeout or None))
        self._batcher: Batcher[Asked, Executed] | None = configured_batcher(
            config, most=max(1, self._most), slots=slots, label=label
        )

    @property
    def has_groups(self) -> bool:
        return self._batcher is not None

    @property
    def running(self) -> int:
        """How many requests are executed now."""
        return self._turns.lent + (0 if self._batcher is None else self._batcher.running_along)

    @property
    def admitted_at_once(self) -> int:
        """How many requests may be inside at the same time, running or waiting."""
        return self._turns.admitted_at_once + (0 if self._batcher is None else self._batcher.admitted_at_once)

    def run(self, asked: Asked, presence: Presence, *, admitted: bool, waits: bool) -> Executed:
        """Have a request executed, as often as the model asks for it.

        Raises `WrongShape` where its inputs are no batch, and what waiting for a turn may end in; who never `waits`
        takes a free instance, or gets an error, and is in no group.
        """
        try:
            rows = count_rows(asked.inputs, self._most)
        except WrongShape as error:
            raise WrongShape(f"{self._label}: {error}") from error
        took_ns = 0
        while True:
            executed = self._run(asked, rows, presence, admitted=admitted, waits=waits)
            took_ns += executed.took_ns
            if executed.result is not Later.AGAIN:
                return replace(executed, took_ns=took_ns)
            admitted = True
            if presence.is_gone():
                raise Cancelled(f"{self._label}: the caller went away before the final response")

    def _run(self, asked: Asked, rows: int, presence: Presence, *, admitted: bool, waits: bool) -> Executed:
        with presence.part() as caller:
            if self._batcher is not None and waits and rows:
                wish = Wish(asked, rows, self._key(asked), asked.priority, asked.timeout_us)
                return self._batcher.submit(wish, caller, self._run_group, admitted=admitted)
            instance = self._turns.take(caller, admitted=admitted, waits=waits)
        begun_ns = perf_counter_ns()
        (result,) = self._executed(instance, (asked,), presence)
        return Executed(result, perf_counter_ns() - begun_ns)

    def _executed(self, instance: Instance, group: Sequence[Asked], presence: Presence) -> Sequence[Result]:
        """Have `instance` execute; who cannot wait as long gets a `Later`, and the instance stays busy till the end."""

        def execute() -> Sequence[Result]:
            try:
                return instance.execute(group)
            finally:
                instance.when_up(partial(self._turns.give_back, instance))

        if presence.time_remaining() == inf:
            return execute()
        return result_in_time(execute, presence) or [Later.BY_SENDER] * len(group)

    def _key(self, asked: Asked) -> Hashable:
        """Find what requests of a group have in common: their inputs, and the shapes of those that are not ragged."""
        if self._most == 0:
            return ()
        return tuple(
            [(name, None if name in self._ragged else tensor.shape[1:]) for name, tensor in asked.inputs.items()]
        )

    def _run_group(self, group: Sequence[Asked]) -> list[Executed | OVServeError]:
        # Who waited has been let in, and whether one caller goes is nothing to the others.
        instance = self._turns.take(Patient(), admitted=True)
        here = [asked for asked in group if not asked.is_cancelled()]
        begun_ns = perf_counter_ns()
        if here:
            company = Presence(Company([asked.caller for asked in here]))
            results = self._executed(instance, _in_company(here, company), company)
        else:
            results = ()
            self._turns.give_back(instance)
        took_ns = perf_counter_ns() - begun_ns
        executed = dict(zip(map(id, here), self._told(here, results, took_ns), strict=True))
        return [executed.get(id(asked)) or self._gone(asked) for asked in group]

    def _told(self, here: Sequence[Asked], results: Sequence[Result], took_ns: int) -> list[Executed]:
        """Say what became of each; one that was answered stands for the execution."""
        size = sum(count_rows(asked.inputs, self._most) for asked in here)
        told = []
        for result in results:
            answers = not isinstance(result, OVServeError) and result is not Later.AGAIN
            told.append(Executed(_own(result), took_ns, size if answers else 0))
            if answers:
                size = 0
        return told

    def _gone(self, asked: Asked) -> OVServeError:
        if asked.caller.time_remaining() <= 0:
            return DeadlineExceeded(f"{self._label}: the deadline passed while the request was waiting for its turn")
        return Cancelled(f"{self._label}: the caller went away while the request was waiting")


def _in_company(group: Sequence[Asked], company: Presence) -> Sequence[Asked]:
    """Have calls of other models go on as long as any caller is there: nobody knows for which of them they are made."""
    if len(group) == 1:
        return group
    return [replace(asked, caller=company) for asked in group]


def _own(result: Result) -> Result:
    """Give each request an error of its own: threads that raise the same one would share its traceback."""
    return type(result)(str(result)) if isinstance(result, OVServeError) else result
