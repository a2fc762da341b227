"""What each version has answered, as Triton's clients read it."""

from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from ovserve.dataplane import VersionStatistics
from ovserve.frontends.rest.answers import json_answer
from ovserve.frontends.rest.documents import run
from ovserve.frontends.rest.doors import Doors
from ovserve.frontends.rest.paths import NAME, VERSION, addressed
from ovserve.frontends.rest.routes import add
from ovserve.frontends.rest.schemas import answers
from ovserve.serving.statistics import Duration


class Statistics:
    """All versions, those of a model, or one."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v2/models", tags=["KServe v2"])
        counted = {"type": "object"}
        extra: dict[str, Any] = {"parameters": [NAME]}
        add(router, "/stats", self.of_all, answers(counted))
        add(router, "/{name}/stats", self.of_model, answers(counted, 400, 404), extra=extra)
        extra = {"parameters": [NAME, VERSION]}
        add(router, "/{name}/versions/{version}/stats", self.of_model, answers(counted, 400, 404), extra=extra)
        return router

    async def of_all(self, _request: Request) -> Response:
        """What every version that is served has answered."""
        return _answer(await run(self._doors.probe_threads, self._doors.dataplane.statistics))

    async def of_model(self, request: Request) -> Response:
        """What a model has answered."""
        name, version = addressed(request)
        count = partial(self._doors.dataplane.statistics, name, version)
        return _answer(await run(self._doors.probe_threads, count))


def _answer(found: list[VersionStatistics]) -> Response:
    return json_answer({"model_stats": [_version(one) for one in found]})


def _version(found: VersionStatistics) -> dict[str, Any]:
    counts = found.counts
    times = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output")
    return {
        "name": found.name,
        "version": str(found.version),
        "last_inference": counts.last_inference_ms,
        "inference_count": counts.inferences,
        "execution_count": counts.executions,
        "inference_stats": {name: _duration(getattr(counts, name)) for name in times},
        "batch_stats": [
            {"batch_size": size, **{name: _duration(getattr(each, name)) for name in times[3:]}}
            for size, each in counts.batches.items()
        ],
    }


def _duration(duration: Duration) -> dict[str, int]:
    return {"count": duration.count, "ns": duration.ns}
