"""A pipeline that splits a request into 8 against 8 clients with a request each, and against a model of batch 8.

    python tests/perf/pipeline.py [slices] [seconds per slice] [file for the raw slices, as JSON]

One ovserve serves ../shared/models/efficientnet-lite0 at batch 1, a pipeline with demultiply_count -1 over that, as in
OVMS's page on dynamic batches, and the same model at batch 8. The ways to have images classified take turns, slice by
slice; load comes from `ovclient bench`. One client alone leaves the server idle between an answer and the next request;
how much that is, the last two ways show. CPU is the server's. Prints medians, and quartiles in brackets; the ratios are of
slices side by side. The pipeline should reach 0.95 of the single requests.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from ovclient import Client
from ovserve.bench import cpu, machine
from ovserve.bench.load import put_load
from ovserve.bench.summary import spread
from server_process import ServerProcess

MODEL = Path(__file__).resolve().parents[3] / "shared/models/efficientnet-lite0"
SHARDS = 8
IMAGE = (3, 224, 224)


@dataclass(frozen=True)
class Way:
    """How images are sent: by so many clients, to this model, in requests of this shape."""

    name: str
    model: str
    clients: int
    shape: tuple[int, ...]

    @property
    def images(self) -> int:
        """In one request."""
        return self.shape[0]


PIPELINE = Way("1 client, pipeline", "resnet50DAG", 1, (SHARDS, 1, *IMAGE))
SINGLE = Way("8 clients, single", "resnet", SHARDS, (1, *IMAGE))
BATCH = Way("1 client, batch 8", "resnet8", 1, (SHARDS, *IMAGE))
PIPELINES = Way("4 clients, pipeline", "resnet50DAG", 4, PIPELINE.shape)
SINGLES = Way("32 clients, single", "resnet", 32, SINGLE.shape)
WAYS = (PIPELINE, SINGLE, BATCH, PIPELINES, SINGLES)
RATIOS = ((PIPELINE, SINGLE), (PIPELINE, BATCH), (PIPELINES, SINGLES))


@dataclass(frozen=True)
class Slice:
    """What one slice gave; the server's and the clients' CPU are in microseconds for each image."""

    way: str
    images_per_s: float
    p50_ms: float
    cpu_us: float
    client_cpu_us: float


def configuration() -> dict[str, object]:
    node = {
        "name": "resnetNode",
        "model_name": "resnet",
        "type": "DL model",
        "inputs": [{"0": {"node_name": "request", "data_item": "0"}}],
        "outputs": [{"data_item": "1463", "alias": "1463"}],
    }
    pipeline = {
        "name": PIPELINE.model,
        "inputs": ["0"],
        "demultiply_count": -1,
        "nodes": [node],
        "outputs": [{"1463": {"node_name": "resnetNode", "data_item": "1463"}}],
    }
    batches = {SINGLE.model: "1", BATCH.model: str(SHARDS)}
    models = [{"name": name, "base_path": str(MODEL), "batch_size": size} for name, size in batches.items()]
    return {"model_config_list": [{"config": model} for model in models], "pipeline_config_list": [pipeline]}


def largest_differences(address: str) -> dict[str, float]:
    """How far the answers about the same images are from those to single requests."""
    images = np.random.default_rng(0).random((SHARDS, *IMAGE), np.float32)
    with Client(address) as client:
        single = np.concatenate([client.infer(SINGLE.model, {"0": image[np.newaxis]})["1463"] for image in images])
        found = {}
        for way in (PIPELINE, BATCH):
            answer = client.infer(way.model, {"0": images.reshape(way.shape)})["1463"]
            found[way.name] = float(np.abs(answer.reshape(single.shape) - single).max())
        return found


def measure(server: ServerProcess, way: Way, seconds: float) -> Slice:
    before_s = cpu.process_s(server.process.pid)
    shape = ",".join(map(str, way.shape))
    (level,) = put_load(
        way.model, server.address, clients=way.clients, seconds=seconds, more=[f"--shape={shape}"]
    ).levels
    spent_s = cpu.process_s(server.process.pid) - before_s
    assert not level.failed, level.failed
    return Slice(
        way.name,
        level.requests_per_s * way.images,
        level.p50_ms or 0,
        spent_s / level.met(way.clients) / way.images * 1e6,
        level.client_cpu_us_per_request / way.images,
    )


def measured(server: ServerProcess, slices: int, seconds: float) -> list[Slice]:
    """Each way in turn, the other way round in every second round."""
    for way in WAYS:
        measure(server, way, min(1, seconds))
    return [measure(server, way, seconds) for turn in range(slices) for way in (reversed(WAYS) if turn % 2 else WAYS)]


def report(rows: Sequence[Slice]) -> list[str]:
    def of(way: Way, figure: str) -> list[float]:
        return [getattr(row, figure) for row in rows if row.way == way.name]

    lines = ["| | images/s | p50 ms | server CPU us/image | client CPU us/image |", "|---|---|---|---|---|"]
    for way in WAYS:
        cells = (text(of(way, figure), "%.1f") for figure in ("images_per_s", "p50_ms", "cpu_us", "client_cpu_us"))
        lines.append(f"| {way.name} | {' | '.join(cells)} |")
    for figure in ("images_per_s", "cpu_us"):
        for one, other in RATIOS:
            ratios = [a / b for a, b in zip(of(one, figure), of(other, figure), strict=True)]
            each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
            lines.append(f"{figure}, {one.name} / {other.name}: {text(ratios, '%.2f')}, slices {each}")
    return lines


def text(values: Sequence[float], form: str) -> str:
    found = spread(values)
    return f"{form % found.median} ({form % found.low}..{form % found.high})"


def main(slices: int = 7, seconds: float = 3, raw: str | None = None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(configuration()))
        server = ServerProcess("--config_path", folder)
        try:
            for way, difference in largest_differences(server.address).items():
                print(f"{way}: at most {difference:.2g} away from the answers to single requests")
            rows = measured(server, slices, seconds)
        finally:
            server.stop()
    if raw is not None:
        described = machine.describe().model_dump()
        document = {"machine": described, "seconds": seconds, "slices": [asdict(row) for row in rows]}
        Path(raw).write_text(json.dumps(document, indent=1) + "\n")
    print(*report(rows), sep="\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]), *map(float, sys.argv[2:3]), *sys.argv[3:4])
