import subprocess
import sys
from pathlib import Path

import pytest

from readme import CHECKOUT

TEST = """
import os
import pytest

@pytest.mark.parametrize("number", range(9))
def test(number):
    with open({log!r}, "a") as log:
        log.write(f"{name} {{os.environ['PYTEST_XDIST_WORKER']}}\\n")
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """Which file's tests ran in which process, in their order, of files like ours."""
    root = tmp_path_factory.mktemp("checkout")
    names = ["unit/test_a.py", "unit/test_b.py", "e2e/test_c.py", "triton/test_d.py", "triton/test_e.py"]
    for name in names:
        file = root / "tests" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(TEST.format(log=str(root / "log"), name=name))
    for name in ("conftest.py", "side_by_side.py", "server_process.py"):
        (root / "tests" / name).write_bytes((CHECKOUT / "tests" / name).read_bytes())
    (root / "pytest.ini").write_text(
        "[pytest]\ntestpaths = tests\npythonpath = tests\naddopts = --import-mode=importlib\n"
    )
    command = [sys.executable, "-m", "pytest", "--quiet", "--numprocesses=2", "--dist=loadfile"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
    return [tuple(line.split()) for line in (root / "log").read_text().splitlines()]


def test_the_tests_of_a_file_run_in_one_process_and_all_that_need_triton(ran: list[tuple[str, str]]) -> None:
    assert len(ran) == 45
    by_group: dict[str, set[str]] = {}
    for name, process in ran:
        by_group.setdefault("triton" if name.startswith("triton/") else name, set()).add(process)
    assert [group for group, processes in by_group.items() if len(processes) > 1] == []
    assert len({process for _, process in ran}) == 2


def test_what_takes_long_comes_first(ran: list[tuple[str, str]]) -> None:
    first = {process: name for name, process in reversed(ran)}
    assert {Path(name).parts[0] for name in first.values()} == {"triton", "e2e"}
