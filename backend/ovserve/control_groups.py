"""The control groups of a container or service that bind this process, in both versions of cgroup."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

OWN_GROUPS = Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")


def folders(controller: str, own_groups: Path = OWN_GROUPS, groups: Path = GROUPS) -> Iterator[Path]:
    """Every folder whose limits of a `controller` bind us: that of our group and of all above it."""
    try:
        lines = own_groups.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        number, controllers, group = line.split(":", 2)
        if number != "0" and controller not in controllers.split(","):
            continue
        root = groups if number == "0" else groups / controllers
        place = PurePosixPath(group.lstrip("/"))
        for part in (place, *place.parents):
            # A path out of our namespace's root is not ours to see; what is there of it binds us all the same.
            if ".." not in part.parts:
                yield root / part
