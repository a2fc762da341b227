"""What Prometheus scrapes."""

from concurrent.futures import Executor
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from ovserve.frontends.rest.documents import run
from ovserve.frontends.rest.routes import add
from ovserve.metrics import Metrics
from ovserve.observability.exposition import CONTENT_TYPE

_PAGE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The metrics", "content": {"text/plain": {"schema": {"type": "string"}}}}
}


class MetricsPage:
    """One page; a query is ignored."""

    def __init__(self, metrics: Metrics, threads: Executor) -> None:
        self._metrics = metrics
        self._threads = threads

    def router(self) -> APIRouter:
        router = APIRouter(tags=["metrics"])
        add(router, "/metrics", self.show, _PAGE)
        return router

    async def show(self, _request: Request) -> Response:
        """All metrics, in Prometheus' text format."""
        return Response(await run(self._threads, self._metrics.text), media_type=CONTENT_TYPE)
