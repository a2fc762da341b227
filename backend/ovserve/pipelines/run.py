"""One run of a pipeline: walks the plan, branches side by side, and puts the results together (spec G.3)."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from heapq import heappop, heappush
from time import perf_counter_ns
from typing import TypeAlias

from ovserve.config.pipeline import REQUEST
from ovserve.errors import Cancelled, DeadlineExceeded, OVServeError
from ovserve.pipelines.gather import empty, stack
from ovserve.pipelines.graph import Frames
from ovserve.pipelines.plan import Plan, Source, Step
from ovserve.pipelines.shards import count_shards
from ovserve.ran import NodeRun
from ovserve.requests import Caller, InferRequest, InferResponse
from ovserve.serving.servable import Servable
from ovserve.tensors import Tensor

# The number of a shard at each demultiplexer around a node, from the outermost.
Branch: TypeAlias = tuple[int, ...]
_Place: TypeAlias = tuple[str, Branch]  # of a tensor: the node that gave it, and where that node ran
_Task: TypeAlias = tuple[int, Branch]  # a step, by its place in the plan, and the branch to run it in

_MOST_NODE_RUNS = 64  # that are remembered


class Run:
    """Runs what is ready: in the caller's thread and, where more is ready than one thing, in up to `width` - 1 more.

    What is farther down the plan goes first, so that few intermediate tensors are alive at the same time; each is
    dropped after its last use. The first failure ends the run: nothing new begins, and what waits for its turn leaves.
    It is the caller (a `Caller`) of its members.
    """

    def __init__(
        self,
        plan: Plan,
        members: Mapping[str, Servable],
        caller: Caller,
        *,
        request: InferRequest,
        executor: Executor,
        width: int,
        within: tuple[str, ...] = (),
    ) -> None:
        self.node_runs: list[NodeRun] = []  # of which there are many where a demultiplexer makes many branches
        self._plan = plan
        self._members = members
        self._caller = caller
        self._request_id = request.id
        self._sequence = request.sequence
        self._executor = executor
        self._within = within
        self._idle = width - 1
        self._changed = threading.Condition()
        self._values: dict[_Place, Mapping[str, Tensor]] = {}
        self._uses: dict[_Place, int] = {}
        self._counts: dict[_Place, int] = {}
        self._missing: dict[_Task, int] = {}
        self._ready: list[tuple[int, Branch]] = []
        self._running = 0
        self._error: Exception | None = None
        self._leaving: list[Callable[[], None]] = []
        self._kept = {result.source.node for result in plan.results.values()}
        self._splits = {step.node: step.demultiplies for step in plan.steps} | {REQUEST: plan.demultiplies}

    def answer(self, inputs: Mapping[str, Tensor], wanted: frozenset[str] | None) -> dict[str, Tensor]:
        """Give the outputs `wanted` (None: all); raises an `OVServeError` that names the node that failed."""
        if not self._caller.add_callback(self._give_up):
            self._give_up()
        self._begin(inputs)
        while True:
            self._work()
            with self._changed:
                self._changed.wait_for(lambda: self._error is not None or self._ready or not self._running)
                if self._error is not None:
                    raise self._error
                if not self._ready:
                    break
        return {
            name: self._collect(result.source, result.gathers, ())
            for name, result in self._plan.results.items()
            if wanted is None or name in wanted
        }

    def time_remaining(self) -> float:
        return self._caller.time_remaining()

    def add_callback(self, callback: Callable[[], None]) -> bool:
        with self._changed:
            if self._error is not None:
                return False
            self._leaving.append(callback)
            return True

    def _give_up(self) -> None:
        self._fail(Cancelled("the caller went away"))

    def _fail(self, error: Exception) -> None:
        with self._changed:
            if self._error is not None:
                return
            self._error = error
            self._changed.notify_all()
        for leave in self._leaving:
            leave()

    def _begin(self, inputs: Mapping[str, Tensor]) -> None:
        try:
            with self._changed:
                for index, step in enumerate(self._plan.steps):
                    if not step.feeds:
                        self._push(index, ())
                self._store(REQUEST, (), inputs)
        except OVServeError as error:
            self._fail(error)

    def _work(self, *, helps: bool = False) -> None:
        while (task := self._next(helps=helps)) is not None:
            step, branch = self._plan.steps[task[0]], task[1]
            try:
                self._do(step, branch)
            except OVServeError as error:
                self._fail(type(error)(f"node '{step.node}': {error}"))
            except Exception as fault:  # noqa: BLE001 - raised again in the caller's thread
                self._fail(fault)

    def _next(self, *, helps: bool) -> _Task | None:
        with self._changed:
            if self._error is not None or not self._ready:
                self._idle += helps
                return None
            self._running += 1
            index, branch = heappop(self._ready)
            if self._ready and self._idle > 0:
                self._idle -= 1
                self._executor.submit(self._work, helps=True)
            return -index, branch

    def _do(self, step: Step, branch: Branch) -> None:
        if self._caller.time_remaining() <= 0:
            raise DeadlineExceeded("the deadline passed before its turn came")
        member = self._members[step.node]
        inputs = {name: self._read(step, source, branch, f"input '{name}'") for name, source in step.feeds.items()}
        request = InferRequest(
            member.metadata.name,
            inputs,
            member.metadata.version,
            frozenset(step.outputs.values()),
            self._request_id,
            within=self._within,
            # As Triton: in an ensemble's sequence are its members, too; not the many runs of what is demultiplexed.
            sequence=None if branch else self._sequence,
        )
        begun_ns = perf_counter_ns()
        response = member.infer(request, self, admitted=True)
        self._note(step.node, response, begun_ns)
        outputs = response.outputs
        with self._changed:
            self._running -= 1
            self._let_go(step, branch)
            self._store(step.node, branch, {alias: outputs[item] for alias, item in step.outputs.items()})
            if self._ready or not self._running:
                self._changed.notify()

    def _note(self, node: str, response: InferResponse, begun_ns: int) -> None:
        """Remember how long a node ran, and not its tensors, which may be large."""
        if len(self.node_runs) < _MOST_NODE_RUNS:
            took_ns = perf_counter_ns() - begun_ns
            infer_ns = took_ns if response.ran is None else response.ran.infer_ns
            self.node_runs.append(NodeRun(node, response.model, response.version, begun_ns, took_ns, infer_ns))

    def _read(self, step: Step, source: Source, branch: Branch, label: str) -> Tensor:
        if step.gathers is None:
            return self._shard(source, branch)
        with self._changed:
            count = self._counts[step.gathers, branch]
        if count == 0:
            return empty(source.spec, label)
        return stack([self._shard(source, (*branch, index)) for index in range(count)], label)

    def _shard(self, source: Source, branch: Branch) -> Tensor:
        """View a tensor as it is in one branch."""
        if self._splits[source.node] is None:
            return self._values[source.node, branch][source.item]
        whole = self._values[source.node, branch[:-1]][source.item]
        return Tensor(whole.dtype, whole.data[branch[-1], ...])

    def _store(self, node: str, branch: Branch, outputs: Mapping[str, Tensor]) -> None:
        """Take what a node gave, and make ready what was waiting for it; the lock is held."""
        splits = self._splits[node]
        self._values[node, branch] = outputs
        shards = 1
        if splits is not None:
            shards = self._counts[node, branch] = count_shards(node, outputs, splits)
            self._expect(node, branch, shards)
        uses = 0
        for index, step in enumerate(self._plan.steps):
            if node not in step.fed_by:
                continue
            if step.gathers is not None:
                uses += 1
                self._count_down(index, branch if step.gathers == node else branch[:-1])
                continue
            uses += shards
            for branches in (branch,) if splits is None else ((*branch, shard) for shard in range(shards)):
                self._count_down(index, branches)
        self._uses[node, branch] = uses
        self._drop_unused(node, branch)

    def _expect(self, demultiplexer: str, branch: Branch, shards: int) -> None:
        """Know how many tensors those wait for who gather these shards; with no shards, for none."""
        for index, step in enumerate(self._plan.steps):
            if step.gathers == demultiplexer:
                missing = sum(1 if node == demultiplexer else shards for node in step.fed_by)
                self._missing[index, branch] = missing
                if missing == 0:
                    self._push(index, branch)

    def _count_down(self, index: int, branch: Branch) -> None:
        missing = self._missing.pop((index, branch), len(self._plan.steps[index].fed_by)) - 1
        if missing == 0:
            self._push(index, branch)
        else:
            self._missing[index, branch] = missing

    def _push(self, index: int, branch: Branch) -> None:
        heappush(self._ready, (-index, branch))

    def _let_go(self, step: Step, branch: Branch) -> None:
        """Drop what a step has used, where it was the last to use it; the lock is held."""
        for node in step.fed_by:
            splits = self._splits[node] is not None
            if step.gathers is None:
                places = [branch[:-1] if splits else branch]
            elif step.gathers == node:
                places = [branch]
            else:
                places = [(*branch, index) for index in range(self._counts[step.gathers, branch])]
            for place in places:
                self._uses[node, place] -= 1
                self._drop_unused(node, place)

    def _drop_unused(self, node: str, branch: Branch) -> None:
        if self._uses[node, branch] == 0 and node not in self._kept:
            del self._values[node, branch]

    def _collect(self, source: Source, gathers: Frames, branch: Branch) -> Tensor:
        """Put an output together from its shards."""
        if not gathers or gathers == (source.node,):
            return self._values[source.node, branch][source.item]
        label = f"output '{source.item}' of node '{source.node}'"
        count = self._counts[gathers[0], branch]
        if count == 0:
            return empty(source.spec, label)
        return stack([self._collect(source, gathers[1:], (*branch, index)) for index in range(count)], label)
