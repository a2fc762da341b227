"""How tests are shared among processes that run side by side (`--numprocesses`)."""

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

LONGEST_FIRST = ("triton", "docs", "e2e", "wire")


def group(test: str) -> str:
    """Of the tests with one group, all run in one process: those of a file, which share a server; all that need Triton."""
    file = test.partition("::")[0]
    return "tests/triton" if file.startswith("tests/triton/") else file


def turn(group: str) -> int:
    """Where a group stands in the queue: what takes long comes first, so that no process waits for it at the end."""
    folder = group.split("/")[1]
    return LONGEST_FIRST.index(folder) if folder in LONGEST_FIRST else len(LONGEST_FIRST)


class Grouped(LoadScopeScheduling):
    """Deals out whole groups. Not `loadgroup`, which pytest 9.2 has ignore its marks (pytest-xdist issue 1386)."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        self.workqueue.move_to_end(min(self.workqueue, key=turn), last=False)
        super()._assign_work_unit(node)
