"""One case: everyone is started, tried and warmed up, then measured in alternating slices."""

import os
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from subprocess import CalledProcessError

from ovserve.bench import cpu, probing
from ovserve.bench.limit_process import LimitProcess
from ovserve.bench.load import BenchFailed, Report, put_load
from ovserve.bench.measure import probe
from ovserve.bench.records import Setup
from ovserve.bench.schedule import rotated
from ovserve.bench.subject import find_subject
from ovserve.child import ChildServer
from peers import contestants as who
from peers.cases import NAME, Case
from peers.place import Place
from peers.process import Server
from peers.records import Comparison, Slice, Trial
from peers.signature import Signature
from peers.tree import spent_s
from peers.trial import Failed, fastest

WARM_UP_S = 0.5
TRIAL_S = 1.5
PROBE_S = 1.0
_LEFT_OUT = {  # what is told of it on pages; the rest goes to standard error
    Failed: str,
    BenchFailed: str,
    CalledProcessError: lambda _: "its environment could not be made",
    AssertionError: lambda _: "it did not start",
}


@dataclass(frozen=True)
class Contestant:
    """Whom to ask, and with which flags of `ovclient bench`."""

    by: str
    server: Server | ChildServer
    clients: int
    flags: tuple[str, ...] = ()

    def load(self, seconds: float) -> Report:
        return put_load(NAME, self.server.address, clients=self.clients, seconds=seconds, more=self.flags)


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def compare(case: Case, peers: Iterable[str], cycles: int, seconds: float, cache: Path) -> Comparison:
    """Measure one case; a peer that does not serve it is left out, with the reason. Raises `BenchFailed`."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        model = case.write(Path(folder) / "models")
        place = Place(model.parent, Signature.read(model / "1/model.xml"), cache)
        subject = find_subject(str(model), None, plugin_config="{}", nireq=0, target_device="CPU", shape=())
        ours = stack.enter_context(ChildServer(subject.server_arguments))
        echo = stack.enter_context(ChildServer(subject.server_arguments, module="ovserve.bench.echo"))
        field = [
            Contestant(who.ECHO, echo, case.clients),
            Contestant(who.OURS, ours, case.clients),
            Contestant(who.SHARED_MEMORY, ours, case.clients, ("--shared_memory=system",)),
        ]
        if case.stream_in_flight is not None:
            field.append(Contestant(who.STREAM, ours, case.stream_in_flight, ("--streaming",)))
        report, *_ = [one.load(min(WARM_UP_S, seconds)) for one in field]
        limit = stack.enter_context(LimitProcess(subject, report.inputs.values()))
        setup = probing.choose(probe(limit, min(PROBE_S, seconds), lambda _: None), [])[probing.ANY]
        trials, left_out = _enter(stack, case, peers, place, field)
        bench = _Bench(seconds, limit, setup, field)
        slices = [one for cycle in range(cycles) for one in bench.cycle(cycle)]
    return Comparison(
        case=case.name,
        title=case.title,
        clients=case.clients,
        message_bytes=report.message_bytes,
        limit=setup,
        stream_in_flight=case.stream_in_flight,
        trials=trials,
        left_out=left_out,
        slices=slices,
    )


def _enter(
    stack: ExitStack, case: Case, peers: Iterable[str], place: Place, field: list[Contestant]
) -> tuple[dict[str, Trial], dict[str, str]]:
    """Start every peer in its fastest way, and have it join `field`."""
    trials: dict[str, Trial] = {}
    left_out: dict[str, str] = {}
    for peer in peers:
        tell(f"{case.name}: starting {peer}")
        try:
            server, trials[peer] = fastest(
                stack, who.PEERS[peer](place), lambda one: Contestant("", one, case.clients).load(TRIAL_S)
            )
        except tuple(_LEFT_OUT) as error:
            left_out[peer] = _LEFT_OUT[type(error)](error)
            tell(f"{case.name}: {peer} is left out: {error}")
        else:
            field.append(Contestant(peer, server, case.clients))
    return trials, left_out


@dataclass(frozen=True)
class _Bench:
    """Everyone, of whom one works at a time."""

    seconds: float
    limit: LimitProcess
    setup: Setup
    field: Sequence[Contestant]

    def cycle(self, number: int) -> list[Slice]:
        turns: list[Contestant | None] = [None, *self.field]
        return [self._slice(number, one) for one in rotated(turns, number)]

    def _slice(self, cycle: int, one: Contestant | None) -> Slice:
        by = one.by if one else who.LIMIT
        tell(f"cycle {cycle + 1}: {by}")
        started_s, machine_s, ours_s = time.monotonic(), cpu.machine_s(), self._ours_s()
        figures = self._asked(one) if one else self.limit.measure(self.setup, self.seconds)
        others_s = cpu.machine_s() - machine_s - (self._ours_s() - ours_s)
        spent = (time.monotonic() - started_s) * (os.cpu_count() or 1)
        return Slice(cycle=cycle, by=by, others_cpu=round(min(1.0, max(0.0, others_s / spent)), 3), **figures)

    def _asked(self, one: Contestant) -> dict[str, object]:
        """Its CPU from before the clients start until they have ended is shared among all requests it met."""
        before_s = spent_s(one.server.pid)
        (level,) = one.load(self.seconds).levels
        after_s = spent_s(one.server.pid)
        return {
            **level.model_dump(include={"seconds", "requests", "requests_per_s", "p50_ms", "p99_ms"}),
            "errors": level.failed,
            "cpu_us": (after_s - before_s) / level.met(one.clients) * 1e6,
            "client_cpu_us": level.client_cpu_us_per_request,
        }

    def _ours_s(self) -> float:
        servers = {one.server.pid for one in self.field} | {self.limit.pid}
        return cpu.own_s() + sum(map(spent_s, servers))
