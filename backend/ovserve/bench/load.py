"""The load: `ovclient bench` as a process, and what it reports."""

import subprocess
import sys
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, ValidationError

from ovserve.bench.records import InputTensor
from ovserve.errors import OVServeError

_CLIENT = (sys.executable, "-m", "ovclient", "bench")


class BenchFailed(OVServeError):
    """There is nothing to report; the sentence says why."""


class _Reported(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Failures(_Reported):
    """Requests that failed with one gRPC status."""

    count: int


class Level(_Reported):
    """What one number of clients met."""

    seconds: float
    requests: int
    errors: dict[str, Failures]
    requests_per_s: float
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None
    client_cpu_us_per_request: float

    @property
    def failed(self) -> dict[str, int]:
        return {status: failures.count for status, failures in self.errors.items()}

    def met(self, clients: int) -> int:
        """How many requests the server has met: these, one from each client to warm up, one to look at its answer."""
        return self.requests + sum(self.failed.values()) + clients + 1


class Report(_Reported):
    """What `ovclient bench --json` prints, as far as it matters here."""

    inputs: dict[str, InputTensor]
    message_bytes: int
    levels: list[Level]


def put_load(model: str, address: str, *, clients: int, seconds: float, more: Sequence[str] = ()) -> Report:
    """Ask for `seconds` in a closed loop of `clients`; `more` are flags of `ovclient bench`. Raises `BenchFailed`.

    No longer warm-up than the one request that each client sends to connect: so it is known how many the server met.
    """
    host, _, port = address.rpartition(":")
    command = [*_CLIENT, model, "--grpc_address", host, "--grpc_port", port, "--concurrency", str(clients)]
    command += ["--duration", str(seconds), "--warm_up", "0", "--json", *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own client
    try:
        return Report.model_validate_json(done.stdout)
    except ValidationError as error:
        said = done.stderr.strip() or f"it printed no report: {error.errors()[0]['msg']}"
        raise BenchFailed(f"ovclient bench ended with exit code {done.returncode}: {said}") from error
