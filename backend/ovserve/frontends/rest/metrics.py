"""What Prometheus scrapes."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from ovserve.metrics import Metrics
from ovserve.observability.exposition import CONTENT_TYPE


class MetricsPage:
    """One page; a query is ignored."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def router(self) -> APIRouter:
        router = APIRouter(tags=["metrics"])
        router.add_api_route("/metrics", self.show, response_class=Response, response_model=None)
        return router

    async def show(self, _request: Request) -> Response:
        """All metrics, in Prometheus' text format."""
        return Response(self._metrics.text(), media_type=CONTENT_TYPE)
