"""The application: routers, errors, and what stands before them."""

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from ovserve.config.cors import Cors
from ovserve.errors import OVServeError
from ovserve.frontends.rest.answers import on_error, on_http_error
from ovserve.frontends.rest.docs_page import docs_router
from ovserve.frontends.rest.doors import Doors
from ovserve.frontends.rest.kserve import KServe
from ovserve.frontends.rest.last_resort import LastResort
from ovserve.frontends.rest.metrics import MetricsPage
from ovserve.frontends.rest.paths import StillEncoded
from ovserve.frontends.rest.repository import Repository
from ovserve.frontends.rest.rights_check import RightsCheck
from ovserve.frontends.rest.settings import Settings
from ovserve.frontends.rest.shared_memory import SharedMemoryRoutes
from ovserve.frontends.rest.statistics import Statistics
from ovserve.frontends.rest.tfs import TensorFlowServing
from ovserve.metrics import Metrics
from ovserve.security.keys import Keys
from ovserve.version import VERSION


def make_app(
    doors: Doors, cors: Cors | None = None, keys: Keys | None = None, metrics: Metrics | None = None
) -> ASGIApp:
    """Make what answers every REST request; without `metrics` there is no page of them."""
    app = FastAPI(title="ovserve", version=VERSION, docs_url=None, redoc_url=None, redirect_slashes=False)
    for routes in (Statistics, KServe, Repository, SharedMemoryRoutes, Settings, TensorFlowServing):
        app.include_router(routes(doors).router())
    if metrics is not None:
        app.include_router(MetricsPage(metrics, doors.probe_threads).router())
    app.include_router(docs_router(app))
    app.add_exception_handler(OVServeError, on_error)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_middleware(LastResort)
    if keys is not None:
        app.add_middleware(RightsCheck, keys=keys, dataplane=doors.dataplane)
    if cors is not None:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=cors.origins,
            allow_methods=cors.methods,
            allow_headers=cors.headers,
            allow_credentials=cors.credentials,
        )
    return StillEncoded(app)
