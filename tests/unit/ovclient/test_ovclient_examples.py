import subprocess
import sys
from pathlib import Path

import pytest

from ovclient.testing import FakeServer

EXAMPLES = Path(__file__).parents[3] / "client_sdk/examples"


@pytest.mark.parametrize(
    ("script", "output"),
    [("classify.py", "x float32 (1,)\n"), ("gather.py", "8 answers\n"), ("threads.py", "16 answers\n")],
)
def test_example(server: FakeServer, script: str, output: str) -> None:
    command = [sys.executable, EXAMPLES / script, server.address, "echo"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == (output, "", 0)


def test_every_example_is_tried_and_short() -> None:
    scripts = {path.name: path.read_text() for path in EXAMPLES.glob("*.py")}
    assert set(scripts) == {"classify.py", "gather.py", "threads.py"}
    assert all(len([line for line in text.splitlines() if line.strip()]) < 15 for text in scripts.values())
