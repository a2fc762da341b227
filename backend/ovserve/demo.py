"""`ovserve demo`: our own models, served, asked by our own client, and judged."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ovserve.child import ChildServer
from ovserve.errors import CannotStart

# The packaged portraits, each of one person.
FACES = {"astronaut.jpg": 1, "camera.jpg": 1, "grace_hopper.jpg": 1}
ACCURACY = "Classification accuracy: 100.00"


def own_repository() -> Path:
    """Find the models that come with us: inside an installed package, or in the checkout it was installed from.

    Raises `CannotStart`.
    """
    package = Path(__file__).resolve().parent
    for place in (package / "model_repository", package.parent.parent / "model_repository"):
        if place.is_dir():
            return place
    raise CannotStart("the package's own model_repository is missing: install ovserve again")


def run(output_dir: Path, *, keep: bool) -> int:
    """Serve our own models on a free loopback port, ask them, print what is answered, and return the exit code.

    0 only if every digit is recognised and every portrait shows the faces it has. `keep` goes on serving until Ctrl-C.
    Raises `CannotStart`.
    """
    repository = own_repository()
    with ChildServer(["--model_repository", str(repository), "--log_level", "WARNING"]) as server:
        print(f"Serving {repository} on {server.address}", flush=True)
        digits = list(_ask(server, "resnet", "--batchsize", "8"))
        faces = list(_ask(server, "face-detection", "--output_dir", str(output_dir)))
        wrong = [*_wrong_digits(digits), *_wrong_faces(faces)]
        print(f"\nThe pictures with their boxes lie in {output_dir.resolve()}")
        for sentence in wrong:
            print(f"ovserve demo: {sentence}", file=sys.stderr)
        print("All answers are right." if not wrong else "Some answers are wrong.", flush=True)
        if keep:
            _keep(server)
    return 1 if wrong else 0


def _ask(server: ChildServer, *command: str) -> Iterator[str]:
    """Run ovclient, show the command and each line as it comes, and hand the lines on."""
    host, _, port = server.address.rpartition(":")
    where = ("--grpc_address", host, "--grpc_port", port)
    print(f"\n$ ovclient {' '.join((*command, *where))}", flush=True)
    arguments = [sys.executable, "-m", "ovclient", *command, *where]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as client:  # noqa: S603 - our own client
        for line in client.stdout or ():
            print(line, end="", flush=True)
            yield line.rstrip("\n")
    if client.returncode:
        yield f"exit code {client.returncode}"


def _wrong_digits(lines: Sequence[str]) -> list[str]:
    return [] if ACCURACY in lines else ["not every digit was recognised"]


def _wrong_faces(lines: Sequence[str]) -> list[str]:
    expected = {name: f"{name}: {count} face{'s' * (count != 1)}" for name, count in FACES.items()}
    return [f"{name} was expected to show {FACES[name]}" for name, line in expected.items() if line not in lines]


def _keep(server: ChildServer) -> None:
    """Serve until Ctrl-C, which a terminal sends to the child too."""
    former = signal.signal(signal.SIGINT, lambda *_: server.stop())
    try:
        print(f"\nStill serving on {server.address}; Ctrl-C ends it.", flush=True)
        server.wait()
        print(flush=True)
    finally:
        signal.signal(signal.SIGINT, former)
