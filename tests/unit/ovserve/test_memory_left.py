"""How much memory the process may still take: what the machine has, and what a container's limit leaves."""

from pathlib import Path

import pytest

from cgroup_tree import write_groups
from ovserve.memory_left import memory_left

MACHINE = "MemTotal:       4000 kB\nMemFree:         100 kB\nMemAvailable:   3000 kB\n"
OF_MACHINE = 3000 << 10


def left(root: Path, own: str, machine: str = MACHINE, **files: str) -> int | None:
    """Count with `files` of a cgroup tree."""
    (root / "machine").write_text(machine)
    return memory_left(root / "machine", *write_groups(root, own, files))


def test_without_a_limit_it_is_what_the_machine_has(tmp_path: Path) -> None:
    assert left(tmp_path, "0::/a", a__memory_dot_max="max", a__memory_dot_current="5") == OF_MACHINE


def test_a_limit_leaves_what_has_not_been_taken_and_what_is_only_a_files(tmp_path: Path) -> None:
    files = {
        "a__memory_dot_max": "1000",
        "a__memory_dot_current": "900",
        "a__memory_dot_stat": "anon 1\ninactive_file 50",
    }
    assert left(tmp_path, "0::/a", **files) == 150


def test_the_limit_of_a_group_above_binds_too(tmp_path: Path) -> None:
    files = {"memory_dot_max": "500", "memory_dot_current": "450", "a__memory_dot_max": "max"}
    assert left(tmp_path, "0::/a", **files) == 50


def test_the_first_version_of_cgroup_counts(tmp_path: Path) -> None:
    files = {"memory_dot_limit_in_bytes": "1000", "memory_dot_usage_in_bytes": "800"}
    own = {f"memory__docker__1__{name}": text for name, text in files.items()}
    own["memory__docker__1__memory_dot_stat"] = "total_inactive_file 7"
    assert left(tmp_path, "4:memory:/docker/1\n3:cpu:/x", **own) == 207


def test_more_taken_than_allowed_leaves_nothing(tmp_path: Path) -> None:
    assert left(tmp_path, "0::/", memory_dot_max="10", memory_dot_current="11") == 0


@pytest.mark.parametrize("machine", ["", "MemAvailable: much", "MemAvailable:"])
def test_where_nothing_tells_it_is_unknown(tmp_path: Path, machine: str) -> None:
    assert left(tmp_path, "0::/", machine) is None


def test_this_machine_tells() -> None:
    found = memory_left()
    assert found is not None
    assert found > 0
