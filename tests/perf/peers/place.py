"""Where one case's model lies, and where the servers of it may write."""

from dataclasses import dataclass
from pathlib import Path

from peers.cases import NAME
from peers.environment import fresh
from peers.signature import Signature


@dataclass(frozen=True)
class Place:
    repository: Path
    signature: Signature
    cache: Path
    """The environments of the peers, kept from run to run."""

    @property
    def file(self) -> Path:
        return self.repository / NAME / "1/model.xml"

    def work(self, name: str) -> Path:
        """A folder for one server, empty."""
        return fresh(self.repository.parent / name)
