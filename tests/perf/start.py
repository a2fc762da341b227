"""How long a start takes, and how long help takes, in alternating runs.

    python tests/perf/start.py [starts] [helps]

Starts: from the command to the line that says it is ready, with the face detector that the project carries: without
`--cache_dir`, with an empty one, and with one that an earlier start has filled. Helps: `ovserve --help` and
`ovclient --help` against the help of the smallest command that their command-line library can make. Prints medians, and
quartiles in brackets.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ovserve.bench.schedule import rotated
from ovserve.bench.summary import Spread, spread
from server_process import ServerProcess

FACES = Path(__file__).resolve().parents[2] / "model_repository/face-detection"
BARE = """
from cyclopts import App

app = App(name="bare", help="Nothing to speak of.")


@app.default
def run(name: str = "nobody") -> None:
    print(name)


app()
"""

Way = Callable[[], float]


def started_s(*flags: str) -> float:
    begun_s = time.perf_counter()
    server = ServerProcess("--model_name", "faces", "--model_path", str(FACES), *flags)
    took_s = time.perf_counter() - begun_s
    server.stop()
    return took_s


def with_an_empty_cache() -> float:
    with tempfile.TemporaryDirectory() as folder:
        return started_s("--cache_dir", folder)


def helped_s(*command: str) -> float:
    begun_s = time.perf_counter()
    subprocess.run([sys.executable, *command, "--help"], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun_s


def measured(ways: dict[str, Way], rounds: int) -> dict[str, list[float]]:
    """Each in turn, another one first in each round, and each once before it counts."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for index in range(rounds):
        for name in rotated(list(ways), index):
            found[name].append(ways[name]())
    return found


def tell(found: dict[str, list[float]], against: str) -> None:
    for name, its_s in found.items():
        ratios = [one / other for one, other in zip(its_s, found[against], strict=True)]
        ratio = "" if name == against else f"; {text(spread(ratios), 1)} of {against}"
        print(f"{name}: {text(spread(its_s), 1e3)} ms{ratio}", flush=True)


def text(found: Spread, scale: float) -> str:
    form = "%.0f" if scale > 1 else "%.2f"
    return f"{form % (found.median * scale)} ({form % (found.low * scale)}..{form % (found.high * scale)})"


def main(starts: int = 10, helps: int = 20) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "bare.py"
        bare.write_text(BARE)
        ways = {
            "bare --help": lambda: helped_s(str(bare)),
            "ovserve --help": lambda: helped_s("-m", "ovserve"),
            "ovclient --help": lambda: helped_s("-m", "ovclient"),
        }
        tell(measured(ways, helps), "bare --help")
        cache = str(Path(folder) / "cache")
        servers = {
            "start without --cache_dir": started_s,
            "start with an empty --cache_dir": with_an_empty_cache,
            "start with a filled --cache_dir": lambda: started_s("--cache_dir", cache),
        }
        tell(measured(servers, starts), "start without --cache_dir")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
