"""Settings -> what each process that serves has of its own."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ovserve.config.redacted import redacted
from ovserve.config.settings import Settings
from ovserve.engine.core_budget import CoreBudget
from ovserve.engine.openvino import Engine
from ovserve.errors import CannotStart, LoadFailed
from ovserve.observability.logs import get_logger
from ovserve.sources import absolute

if TYPE_CHECKING:
    from ovserve.seeing.spans import Spans

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")

logger = get_logger("ovserve")


def make_spans(settings: Settings) -> "Spans | None":
    """Make what --tracing asks for; raises `CannotStart`."""
    if not settings.makes_spans:
        return None
    flag = "--tracing" if settings.otlp_endpoint is None else "--otlp_endpoint"
    for name in _ENDPOINTS if settings.otlp_endpoint is None else ():
        if "@" in os.environ.get(name, ""):
            raise CannotStart(f"{flag}: {name} names a user, whom OTLP over gRPC does not tell: use headers")
    try:
        from ovserve.seeing import spans  # noqa: PLC0415 - an extra, only for those who ask
    except ImportError as error:
        raise CannotStart(f"{flag} needs OpenTelemetry: pip install 'ovserve[tracing]'") from error
    try:
        return spans.to_collector(settings.otlp_endpoint)
    except Exception as error:  # whatever its environment variables hold
        raise CannotStart(f"{flag}: {redacted(str(error))}") from error


def make_engine(settings: Settings, budget: CoreBudget) -> Engine:
    """Make OpenVINO as the settings want it; raises `CannotStart`."""
    extension = settings.cpu_extension
    try:
        return Engine(
            _prepared_cache(settings.cache_dir),
            None if extension is None else absolute(extension),
            budget,
        )
    except LoadFailed as error:
        raise CannotStart(f"--cpu_extension {extension}: {error}") from error


def _prepared_cache(folder: Path | None) -> Path | None:
    if folder is None:
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotStart(f"--cache_dir {folder}: {error.strerror}") from error
    if not os.access(folder, os.W_OK):
        logger.warning("the cache folder is not writable: nothing will be cached", cache_dir=str(folder))
    return absolute(folder)
