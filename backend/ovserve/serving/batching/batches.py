"""How the requests to one OpenVINO model become batches."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from ovserve.config.model import ModelConfig
from ovserve.errors import OVServeError
from ovserve.ran import Ran
from ovserve.requests import Caller, Hurried, InferRequest, Patient
from ovserve.serving.batching.batcher import Batcher, Wish
from ovserve.serving.batching.configured import configured_batcher
from ovserve.serving.batching.fixed_batch import FixedBatch
from ovserve.serving.batching.group_run import GroupRun
from ovserve.serving.batching.rows import count_rows
from ovserve.tensors import Tensor


class RunAlone(Protocol):
    """Runs a request by itself, in its turn."""

    def __call__(self, request: InferRequest, caller: Caller, *, admitted: bool) -> Ran: ...


def batches(
    config: ModelConfig, fixed: FixedBatch | None, *, inputs: Iterable[str], label: str, slots: int
) -> "Batches | None":
    """Make what a model needs for batches, None where each request is one."""
    if config.declared is None or (config.declared.dynamic_batching is None and fixed is None):
        return None
    return Batches(config, fixed, inputs=inputs, label=label, slots=slots)


class Batches:
    """Puts requests together where config.pbtxt has dynamic_batching, and fills them up where the model needs it."""

    def __init__(
        self,
        config: ModelConfig,
        fixed: FixedBatch | None,
        *,
        inputs: Iterable[str],
        label: str,
        slots: int,
    ) -> None:
        declared = config.declared
        assert declared is not None  # noqa: S101 - only config.pbtxt speaks of batches
        self._names = tuple(inputs)
        self._most = declared.max_batch_size if self._names else 0
        self._groups = GroupRun(fixed)
        self._batcher: Batcher[InferRequest, Ran] | None = configured_batcher(
            config, most=max(1, self._most), slots=slots, label=label
        )

    @property
    def admitted_at_once(self) -> int:
        """How many requests may be inside at the same time, running or waiting."""
        return 0 if self._batcher is None else self._batcher.admitted_at_once

    @property
    def running_along(self) -> int:
        """How many requests run now in a slot that another one has taken."""
        return 0 if self._batcher is None else self._batcher.running_along

    def run(self, request: InferRequest, caller: Caller, run: RunAlone, *, admitted: bool) -> Ran:
        """Answer one request by `run`, perhaps with others; raises `WrongShape` where its inputs are no batch."""
        rows = count_rows({name: request.inputs[name] for name in self._names}, self._most)
        if self._batcher is None or rows == 0:
            return self._by_itself(request, caller, run, admitted=admitted)
        if isinstance(caller, Hurried):
            caller = caller.caller  # it is the queue's policy that says what the request's time-out means
        key = tuple([request.inputs[name].shape[1:] for name in self._names]) if self._most else ()
        wish = Wish(request, rows, key, request.priority, request.timeout_us)

        def run_group(requests: Sequence[InferRequest]) -> list[Ran | OVServeError]:
            # Who waited has been let in, and whether one caller goes is nothing to the others.
            return self._groups.run(
                requests, lambda inputs, wanted: run(_as(request, inputs, wanted), Patient(), admitted=True)
            )

        return self._batcher.submit(wish, caller, run_group, admitted=admitted)

    def _by_itself(self, request: InferRequest, caller: Caller, run: RunAlone, *, admitted: bool) -> Ran:
        (outcome,) = self._groups.run(
            [request], lambda inputs, wanted: run(_as(request, inputs, wanted), caller, admitted=admitted)
        )
        if isinstance(outcome, OVServeError):
            raise outcome
        return outcome


def _as(request: InferRequest, inputs: Mapping[str, Tensor], wanted: frozenset[str] | None) -> InferRequest:
    return InferRequest(request.model, inputs, request.version, wanted)
