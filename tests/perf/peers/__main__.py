"""`python tests/perf/peers`: measure, and keep the raw slices; `python tests/perf/peers write`: the pages' tables."""

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent.parent
sys.path[:1] = map(str, (TESTS, TESTS / "docs", TESTS / "perf"))

from cyclopts import App  # noqa: E402 - after the path

from ovserve.bench import machine  # noqa: E402
from peers import contestants, pages, tables  # noqa: E402
from peers.cases import BY_NAME  # noqa: E402
from peers.environment import default_cache  # noqa: E402
from peers.measure import compare  # noqa: E402
from peers.records import Comparison, Run  # noqa: E402

RESULTS = TESTS / "perf/results/peers.json"
README, PERFORMANCE = TESTS.parent / "README.md", TESTS.parent / "backend/docs/performance.md"

app = App(name="python tests/perf/peers", help=__doc__, version_flags=())


@app.default
def measure(
    *cases: Literal["face", "efficientnet", "tiny", "large"],
    peers: tuple[str, ...] = tuple(contestants.PEERS),
    clients: int | None = None,
    cycles: int = 9,
    seconds: float = 4,
    json: Path = RESULTS,
    cache: Path | None = None,
) -> int:
    """Compare ovserve with its peers, all on this machine, and print the tables.

    Args:
        cases: The models; all of them if none is named.
        peers: Who is compared, by the names that the tables have.
        clients: How many ask at once; each model's own number if not given.
        cycles: How often each is measured.
        seconds: How long each slice takes.
        json: Where the raw slices are kept.
        cache: Folder of the peers' environments; ovserve-peers in the user's cache if not given.
    """
    started = datetime.now(UTC).isoformat(timespec="seconds")
    where = machine.describe()
    folder = (cache or default_cache()).resolve()
    comparisons: list[Comparison] = []
    for name in cases or BY_NAME:
        case = replace(BY_NAME[name], clients=clients or BY_NAME[name].clients)
        comparisons.append(compare(case, peers, cycles, seconds, folder))
        found = Run(
            started=started,
            machine=where,
            peers=contestants.VERSIONS,
            cycles=cycles,
            seconds=seconds,
            comparisons=comparisons,
        )
        json.write_text(found.model_dump_json(indent=1) + "\n")  # after each: what is measured is not lost
    print(tables.full(found))
    return 1 if any(one.errors for comparison in found.comparisons for one in comparison.slices) else 0


@app.command
def write(json: Path = RESULTS) -> None:
    """Write the tables of a run that was kept into README.md and the page on performance."""
    run = Run.model_validate_json(json.read_text())
    for page, section in ((README, tables.short(run)), (PERFORMANCE, tables.full(run))):
        page.write_text(pages.replaced(page.read_text(), section))


if __name__ == "__main__":
    sys.exit(app(result_action="return_value"))
