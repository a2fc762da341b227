"""Certificates for tests: who signs them, and the files that servers and clients take."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

_YEAR = timedelta(days=365)


@dataclass(frozen=True)
class Files:
    """PEM files of a certificate and of its key."""

    cert: Path
    key: Path


class Authority:
    """Signs certificates; `path` is what those who trust it read."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._ca = trustme.CA()
        self._folder = folder
        self._name = name
        self.path = folder / f"{name}.pem"
        self._ca.cert_pem.write_to_path(self.path)

    def issue(self, name: str, *, expired: bool = False) -> Files:
        """Write a certificate for this machine, under a name of its own."""
        now = datetime.now(UTC)
        until = now - timedelta(days=1) if expired else now + _YEAR
        issued = self._ca.issue_cert("localhost", "127.0.0.1", not_before=now - _YEAR, not_after=until)
        files = Files(self._folder / f"{self._name}-{name}.pem", self._folder / f"{self._name}-{name}.key")
        files.cert.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(files.key)
        return files


def replace(old: Files, new: Files) -> None:
    """Put new certificates where the old ones lie, as tools that renew them do: each file at once."""
    for source, target in ((new.cert, old.cert), (new.key, old.key)):
        fresh = target.with_suffix(".new")
        fresh.write_bytes(source.read_bytes())
        fresh.rename(target)
