"""The composition root: settings -> objects -> run, drain, stop."""

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ovserve.config.model import ModelConfig
from ovserve.config.settings import Settings
from ovserve.control import Control
from ovserve.dataplane import DataPlane
from ovserve.engine import openvino
from ovserve.errors import LoadFailed, OVServeError
from ovserve.frontends.grpc.server import CannotListen, GrpcServer
from ovserve.observability.logs import get_logger
from ovserve.repository.layout import find_models
from ovserve.serving.loader import Loader
from ovserve.serving.registry import Registry
from ovserve.signals import Events
from ovserve.version import VERSION

# An answer given at the last moment still has to reach its client.
_LAST_ANSWERS_S = 0.1

# Clients in the middle of a conversation come back at once: they are told UNAVAILABLE, which they may try elsewhere.
# A request that arrives in the very moment in which gRPC shuts down would be CANCELLED.
_LINGER_S = 0.2

logger = get_logger("ovserve")


class CannotStart(OVServeError):
    """Nothing can be served; the sentence says why, for the one who starts the server."""


@dataclass(frozen=True, slots=True)
class Core:
    """The objects behind every door."""

    settings: Settings
    registry: Registry
    dataplane: DataPlane
    control: Control
    loader: Loader

    def load(self) -> None:
        """Load everything; raises `CannotStart` where not one model can be served."""
        self.loader.load_all(model_configs(self.settings))
        if any(entry.available for entry in self.registry.entries.values()):
            return
        causes = "; ".join(
            f"{row.name}{'' if row.version is None else f' version {row.version}'}: {row.reason}"
            for row in self.control.index()
        )
        raise CannotStart(f"no model can be served: {causes}")


def compose(settings: Settings) -> Core:
    """Make the objects; nothing is loaded and nothing listens yet. Raises `CannotStart`."""
    registry = Registry()
    loader = Loader(openvino.Engine(_prepared_cache(settings.cache_dir)), registry)
    return Core(settings, registry, DataPlane(registry), Control(registry), loader)


def model_configs(settings: Settings) -> list[ModelConfig]:
    """Find the models to serve; raises `CannotStart` where there is none to try."""
    if settings.model_name is not None and settings.model_path is not None:
        return [_model_config(settings, settings.model_name, settings.model_path)]
    assert settings.model_repository is not None  # noqa: S101 - Settings has one or the other
    try:
        found = find_models(settings.model_repository.resolve())
    except LoadFailed as error:
        raise CannotStart(f"model repository {settings.model_repository}: {error}") from error
    if not found:
        raise CannotStart(
            f"model repository {settings.model_repository} holds no model: expected folders like "
            f"{settings.model_repository}/NAME/1/model.xml"
        )
    return [_model_config(settings, name, path) for name, path in found.items()]


def _model_config(settings: Settings, name: str, path: Path) -> ModelConfig:
    return ModelConfig(
        name=name,
        base_path=path.resolve(),
        target_device=settings.target_device,
        plugin_config=settings.plugin_config,
        nireq=settings.nireq,
        max_queue=settings.max_queue,
        queue_timeout=settings.queue_timeout,
    )


def _prepared_cache(folder: Path | None) -> Path | None:
    if folder is None:
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotStart(f"--cache_dir {folder}: {error.strerror}") from error
    if not os.access(folder, os.W_OK):
        logger.warning("the cache folder is not writable: nothing will be cached", cache_dir=str(folder))
    return folder.resolve()


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT and return the exit code; raises `CannotStart`.

    The port is taken before models load, so that a port in use is told at once and liveness is answered meanwhile.
    """
    with Events() as events, ThreadPoolExecutor(1, thread_name_prefix="load") as executor:
        core = compose(settings)
        server, addresses = _listen(core)
        loading = executor.submit(core.load)
        loading.add_done_callback(lambda _: events.put_loaded())
        if events.get_is_stop():
            logger.warning("stopped while models were loading")
            _leave()
        try:
            loading.result()
        except CannotStart:
            server.stop(0)
            raise
        core.dataplane.open()
        server.follow()
        print(f"ovserve: KServe v2 gRPC on {', '.join(addresses)}", flush=True)
        events.get_is_stop()
        _drain(core, server)
    return 0


def _listen(core: Core) -> tuple[GrpcServer, list[str]]:
    settings = core.settings
    server = GrpcServer(core.dataplane, core.control, core.registry, max_message_bytes=settings.grpc_max_message_bytes)
    try:
        addresses = server.bind(settings.grpc_addresses, 0 if settings.port == "auto" else settings.port)
    except CannotListen as error:
        raise CannotStart(str(error)) from error
    server.start()
    logger.info("started", version=VERSION, openvino=openvino.VERSION, grpc=addresses)
    return server, addresses


def _drain(core: Core, server: GrpcServer) -> None:
    """Readiness off and new requests refused while those in flight finish; then close the door."""
    grace_s = core.settings.exit_timeout_secs
    logger.info("stopping", exit_timeout_secs=grace_s)
    server.not_serving()
    started_s = time.monotonic()
    drained = core.dataplane.drain(grace_s)
    time.sleep(_LINGER_S)
    server.stop(max(_LAST_ANSWERS_S, grace_s - (time.monotonic() - started_s)))
    totals = core.dataplane.totals
    logger.info("stopped", requests=totals.accepted, answered=totals.answered)
    if not drained:
        logger.warning("requests were still running and will not be answered", exit_timeout_secs=grace_s)
        _leave()


def _leave() -> NoReturn:
    """End at once: a running inference or compilation cannot be interrupted, and nobody waits for it any more."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
