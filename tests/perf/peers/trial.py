"""Which way to run a peer is compared: the fastest, so that none loses by how it was set up."""

import statistics
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from ovserve.bench.load import BenchFailed, Report
from peers.process import DidNotStart, Server, Way
from peers.records import Trial

_ROUNDS = 3


class Failed(Exception):
    """No way worked; says what each said."""


@dataclass(frozen=True)
class _Running:
    server: Server
    stack: ExitStack


def fastest(stack: ExitStack, ways: Mapping[str, Way], load: Callable[[Server], Report]) -> tuple[Server, Trial]:
    """Start all `ways`, ask them in turn, and leave only the fastest running, until `stack` ends. Raises `Failed`."""
    running, wrong = _start(stack, ways, load)
    if not running:
        raise Failed("; ".join(f"{name}: {sentence}" for name, sentence in wrong.items()))
    rates: dict[str, list[float]] = {name: [] for name in running}
    for _ in range(_ROUNDS if len(running) > 1 else 1):
        for name, found in rates.items():
            found.append(load(running[name].server).levels[0].requests_per_s)
    chosen = choose(rates)
    for name, one in running.items():
        if name != chosen:
            one.stack.close()
    return running[chosen].server, Trial(chosen=chosen, requests_per_s=rates)


def _start(
    stack: ExitStack, ways: Mapping[str, Way], load: Callable[[Server], Report]
) -> tuple[dict[str, _Running], dict[str, str]]:
    """Start each, and ask it once before it counts; those that fail are stopped again."""
    running: dict[str, _Running] = {}
    wrong: dict[str, str] = {}
    for name, start in ways.items():
        its = stack.enter_context(ExitStack())
        try:
            server = its.enter_context(start())
            load(server)
        except (DidNotStart, BenchFailed) as error:
            its.close()
            wrong[name] = str(error)
        else:
            running[name] = _Running(server, its)
    return running, wrong


def choose(rates: Mapping[str, list[float]]) -> str:
    """Name the one with the highest median."""
    return max(rates, key=lambda name: statistics.median(rates[name]))
