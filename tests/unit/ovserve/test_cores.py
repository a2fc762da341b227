"""How many cores the process may use: what the scheduler lets it, and what a container's quota leaves of them."""

import os
from pathlib import Path

import pytest

from cgroup_tree import write_groups
from ovserve.cores import usable_cores, visible_cores

ALL = len(os.sched_getaffinity(0))


def cores(root: Path, own: str, **files: str) -> int:
    """Count with `files` of a cgroup tree."""
    return usable_cores(*write_groups(root, own, files))


def test_without_a_quota_all_that_the_scheduler_lets_us_are_ours(tmp_path: Path) -> None:
    assert cores(tmp_path, "0::/a", a__cpu_dot_max="max 100000") == ALL == visible_cores()


@pytest.mark.parametrize("quota", ["100000 100000", "50000 100000", "1 1000000"])
def test_a_quota_counts_rounded_up(tmp_path: Path, quota: str) -> None:
    assert cores(tmp_path, "0::/", cpu_dot_max=quota) == 1


def test_a_quota_above_the_machine_gives_no_more(tmp_path: Path) -> None:
    assert cores(tmp_path, "0::/", cpu_dot_max=f"{(ALL + 5) * 100000} 100000") == ALL


def test_the_quota_of_a_group_above_binds_too(tmp_path: Path) -> None:
    found = cores(tmp_path, "0::/pod/main", pod__cpu_dot_max="100000 100000", pod__main__cpu_dot_max="max 100000")
    assert found == 1


def test_the_first_version_of_cgroup_counts(tmp_path: Path) -> None:
    quota = {"cpu,cpuacct__cpu_dot_cfs_quota_us": "100000", "cpu,cpuacct__cpu_dot_cfs_period_us": "100000"}
    assert cores(tmp_path, "4:memory:/x\n3:cpu,cpuacct:/docker/1", **quota) == 1


def test_the_first_version_without_a_limit_leaves_all(tmp_path: Path) -> None:
    quota = {"cpu__cpu_dot_cfs_quota_us": "-1", "cpu__cpu_dot_cfs_period_us": "100000"}
    assert cores(tmp_path, "1:cpu:/", **quota) == ALL


@pytest.mark.parametrize("broken", ["", "nonsense", "1", "100000 0"], ids=["empty", "text", "one number", "no period"])
def test_what_cannot_be_read_limits_nothing(tmp_path: Path, broken: str) -> None:
    assert cores(tmp_path, "0::/", cpu_dot_max=broken) == ALL


def test_a_system_without_cgroups_limits_nothing(tmp_path: Path) -> None:
    assert usable_cores(tmp_path / "none", tmp_path) == ALL
