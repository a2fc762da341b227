"""One run: start the processes, look for the limit, measure slice after slice."""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ovserve.bench import cpu, machine, probing
from ovserve.bench import records as rec
from ovserve.bench.limit_process import LimitProcess
from ovserve.bench.load import Report, put_load
from ovserve.bench.schedule import Step, steps
from ovserve.bench.subject import Subject
from ovserve.child import ChildServer

_WARM_UP_S = 0.5
_PROBE_S = 0.3
_PROBE_ROUNDS = 3

Tell = Callable[[str], None]


def run(subject: Subject, clients: Sequence[int], *, slices: int, seconds: float, tell: Tell) -> rec.Run:
    """Measure `subject`; `tell` is called with what is going on. Raises `BenchFailed` and `CannotStart`."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    with ExitStack() as stack:
        tell("starting")
        served = stack.enter_context(ChildServer(subject.server_arguments))
        echo = stack.enter_context(ChildServer(subject.server_arguments, module="ovserve.bench.echo"))
        reports = [_load(subject, server, max(clients), min(_WARM_UP_S, seconds)) for server in (echo, served)]
        limit = stack.enter_context(LimitProcess(subject, reports[-1].inputs.values()))
        probes = probe(limit, min(_PROBE_S, seconds), tell)
        limits = probing.choose(probes, clients)
        bench = _Bench(subject, limit, echo, served, limits, seconds)
        measured = []
        for step in steps(slices, clients, probing.beyond(limits)):
            tell(f"slice {step.index + 1} of {slices}, {step.clients} clients: {step.kind}")
            measured.append(bench.measure(step))
    return rec.Run(
        started=started,
        machine=machine.describe(),
        subject=_described(subject, reports[-1]),
        slices=slices,
        seconds=seconds,
        limits=limits,
        probes=probes,
        measured=measured,
    )


def probe(limit: LimitProcess, seconds: float, tell: Tell) -> list[rec.Probe]:
    """Look at every way in turn, several times over, so that a disturbance does not decide."""
    rates: dict[rec.Setup, list[float]] = {setup: [] for setup in limit.setups}
    for _ in range(_PROBE_ROUNDS):
        for setup, found in rates.items():
            tell(f"looking for the limit: {setup.config}, {setup.in_flight} in flight")
            found.append(limit.measure(setup, seconds)["requests_per_s"])
    return [rec.Probe(setup=setup, requests_per_s=found) for setup, found in rates.items()]


def _load(subject: Subject, server: ChildServer, clients: int, seconds: float) -> Report:
    more = [f"--shape={one}" for one in subject.shape]
    return put_load(subject.name, server.address, clients=clients, seconds=seconds, more=more)


def _described(subject: Subject, report: Report) -> rec.Subject:
    return rec.Subject(
        name=subject.name,
        inputs=report.inputs,
        message_bytes=report.message_bytes,
        target_device=subject.settings.target_device,
        plugin_config=subject.settings.plugin_config,
        nireq=subject.settings.nireq,
    )


@dataclass(frozen=True, slots=True)
class _Bench:
    """The processes, of which one works at a time."""

    subject: Subject
    limit: LimitProcess
    echo: ChildServer
    served: ChildServer
    limits: dict[int, rec.Setup]
    seconds: float

    def measure(self, step: Step) -> rec.Measured:
        started_s, machine_s, ours_s = time.monotonic(), cpu.machine_s(), self._ours_s()
        match step.kind:
            case "limit":
                figures = self.limit.measure(self.limits[probing.ANY], self.seconds)
            case "matched":
                figures = self.limit.measure(self.limits[step.clients], self.seconds)
            case "echo":
                figures = self._ask(self.echo, step.clients)
            case "served":
                figures = self._ask(self.served, step.clients)
        others_s = cpu.machine_s() - machine_s - (self._ours_s() - ours_s)
        spent_s = (time.monotonic() - started_s) * (os.cpu_count() or 1)
        others = round(min(1.0, max(0.0, others_s / spent_s)), 3)
        return rec.Measured(index=step.index, clients=step.clients, kind=step.kind, others_cpu=others, **figures)

    def _ask(self, server: ChildServer, clients: int) -> dict[str, Any]:
        """Put load on `server`; its CPU from before the client starts until it has ended is shared among all it met."""
        before_s = cpu.process_s(server.pid)
        (level,) = _load(self.subject, server, clients, self.seconds).levels
        spent_s = cpu.process_s(server.pid) - before_s
        return {
            **level.model_dump(exclude={"client_cpu_us_per_request", "errors"}),
            "errors": level.failed,
            "cpu_us": spent_s / level.met(clients) * 1e6,
            "client_cpu_us": level.client_cpu_us_per_request,
        }

    def _ours_s(self) -> float:
        return cpu.own_s() + sum(cpu.process_s(child.pid) for child in (self.limit, self.echo, self.served))
