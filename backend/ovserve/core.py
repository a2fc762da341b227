"""Settings -> the objects behind every door."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ovserve.config.metrics import SHOWN
from ovserve.config.model import ModelConfig
from ovserve.config.ovms_json import read_config
from ovserve.config.settings import Settings
from ovserve.control import Control, IndexRow
from ovserve.dataplane import DataPlane, Totals
from ovserve.engine.core_budget import divide, machine_budget
from ovserve.equipment import make_engine, make_spans
from ovserve.errors import CannotStart, ConfigInvalid, LoadFailed
from ovserve.metrics import Metrics
from ovserve.observability.logs import get_logger
from ovserve.pipelines.upkeep import Upkeep
from ovserve.repository.source import Source
from ovserve.repository.uploads import Uploads
from ovserve.security.key_file import make_keys
from ovserve.security.keys import Keys
from ovserve.seeing import request_log
from ovserve.serving.decoding_turns import make_decoding_turns
from ovserve.serving.following import Following
from ovserve.serving.host import Hosts
from ovserve.serving.loader import load_version
from ovserve.serving.loads import LoadVersion
from ovserve.serving.own_metrics import OwnMetrics
from ovserve.serving.reconciler import Reconciler
from ovserve.serving.registry import Registry
from ovserve.serving.sequencing import Sequencing
from ovserve.serving.view import ALL
from ovserve.shared_memory import SharedMemory
from ovserve.sources import make_source, make_uploads
from ovserve.workers.crew.grpc_workers import GrpcWorkers

if TYPE_CHECKING:
    from ovserve.seeing.spans import Spans

_MINUTE_S = 60.0
_ONE_KEY = "API_KEY"  # as OVMS

logger = get_logger("ovserve")


@dataclass(frozen=True, slots=True)
class Core:
    """The objects behind every door."""

    settings: Settings
    registry: Registry
    dataplane: DataPlane
    control: Control
    shared_memory: SharedMemory
    source: Source
    reconciler: Reconciler
    workers: GrpcWorkers
    keys: Keys | None
    metrics: Metrics | None
    spans: "Spans | None"
    sequencing: Sequencing

    def load(self, *, may_be_empty: bool = False) -> None:
        """Load everything once; raises `CannotStart` where not one model can be served.

        `may_be_empty` lets a repository or config.json without a model that can be served wait for one.
        """
        self.workers.wait_until_all()
        try:
            self.reconciler.pass_once()
        except LoadFailed as error:
            raise CannotStart(str(error)) from error
        if self.settings.exit_on_error:
            self._check_all_is_served()
        if any(entry.available for entry in self.registry.entries.values()):
            return
        if may_be_empty and self.settings.model_path is None:
            logger.warning("no model can be served yet", places=[str(path) for path in self.source.paths])
            return
        rows = self.control.index()
        if not rows and self.settings.config_path is not None:
            raise CannotStart(f"{self.settings.config_path} lists no model")
        if not rows:
            shown = ", ".join(map(str, self.settings.model_repository or ()))
            raise CannotStart(
                f"model repository {shown} holds no model: expected folders like {shown}/NAME/1/model.xml"
            )
        raise CannotStart(f"no model can be served: {_causes(rows)}")

    def open(self) -> None:
        """Be ready, in all processes."""
        self.workers.told.phase("open")
        self.dataplane.open()

    def close(self) -> None:
        """Be ready no more, and refuse new requests, in all processes."""
        self.dataplane.close()
        self.workers.told.phase("closing")

    def drain(self, timeout_s: float) -> bool:
        """Wait, once closed, for the requests in flight; tell whether they ended within `timeout_s`."""
        started_s = time.monotonic()
        drained = self.workers.drain(timeout_s)
        return self.dataplane.drain(max(0.0, timeout_s - (time.monotonic() - started_s))) and drained

    @property
    def totals(self) -> Totals:
        return self.workers.counting.totals(self.dataplane.totals)

    def _check_all_is_served(self) -> None:
        failed = [row for row in self.control.index() if row.state == "UNAVAILABLE"]
        unknown = set(self.settings.load_model) - {ALL} - self.registry.entries.keys()
        failed += [IndexRow(name, None, "", "it is not in the repository") for name in sorted(unknown)]
        if failed:
            raise CannotStart(f"not every model can be served, which --exit_on_error asks for: {_causes(failed)}")

    def following(self) -> Following:
        """Follow the repository from now on, for the time of a `with` block."""
        mode, poll_s = self.settings.control_mode, self.settings.file_system_poll_wait_seconds
        return Following(self.reconciler, lambda: self.source.paths, mode, poll_s)


def _causes(rows: Sequence[IndexRow]) -> str:
    return "; ".join(
        f"{row.name}{'' if row.version is None else f' version {row.version}'}: {row.reason}" for row in rows
    )


def compose(settings: Settings) -> Core:
    """Make the objects; nothing is loaded and nothing listens yet. Raises `CannotStart`."""
    _begin_log(settings)
    keys = make_keys(settings.api_key_file, os.environ.get(_ONE_KEY))
    budget, *others = divide(machine_budget(settings.cores), settings.processes)
    engine, turns = make_engine(settings, budget), make_decoding_turns(budget.cores)
    if not settings.target_device:
        settings = settings.model_copy(update={"target_device": engine.pick_device()})
    own_metrics = OwnMetrics()
    workers = GrpcWorkers(settings, others, None if keys is None else keys.refusals, own_metrics)
    registry, told = workers.registry, workers.told
    source = make_source(settings)
    uploads = make_uploads(settings, source) if settings.control_mode == "explicit" else None
    spans = make_spans(settings)
    dataplane = _dataplane(settings, workers, spans)
    sequencing = Sequencing(settings.sequence_cleaner_poll_wait_minutes * _MINUTE_S)
    load = partial(load_version, engine, turns, hosts=Hosts(dataplane, own_metrics), sequencing=sequencing)
    settle = Upkeep(registry, turns).follow
    reconciler = _reconciler(settings, registry, uploads, source, load=workers.loading(load), settle=settle)
    # Every door checks the keys.
    may_manage = settings.is_local or settings.allow_remote_management or keys is not None
    return Core(
        settings=settings,
        registry=registry,
        dataplane=dataplane,
        control=Control(registry, reconciler, uploads, is_open=may_manage, log_changed=told.log),
        shared_memory=SharedMemory(is_open=may_manage, added=told.region, removed=told.no_region),
        source=source,
        reconciler=reconciler,
        workers=workers,
        keys=keys,
        metrics=_metrics(settings, partial(Metrics, registry, workers.counting)),
        spans=spans,
        sequencing=sequencing,
    )


def _begin_log(settings: Settings) -> None:
    for sentence in settings.without_effect:
        logger.warning(sentence)
    if settings.grpc_workers > 1 and not settings.port:
        logger.warning("--grpc_workers has no effect: --port 0 turns gRPC off")
    if settings.log_requests:
        request_log.switch(on=True)


def _dataplane(settings: Settings, workers: GrpcWorkers, spans: "Spans | None") -> DataPlane:
    return DataPlane(
        workers.registry,
        strict_readiness=settings.strict_readiness,
        load_wait_seconds=settings.load_wait_seconds,
        spans=None if spans is None else spans.record,
        tracer=workers.tracer,
        counting=workers.counting.reading,
    )


def _reconciler(
    settings: Settings,
    registry: Registry,
    uploads: Uploads | None,
    source: Source,
    *,
    load: LoadVersion,
    settle: Callable[[Mapping[str, ModelConfig]], None],
) -> Reconciler:
    """Follow the source, or, where clients choose what is loaded, only what they upload and load."""
    return Reconciler(
        uploads or source,
        load,
        registry,
        follows=uploads is None,
        retries=settings.control_mode in {"watch", "poll"},
        chosen=(ALL,) if uploads is None else settings.load_model,
        settle=settle,
        loads_at_once=settings.model_load_thread_count,
    )


def _metrics(settings: Settings, make: Callable[..., Metrics]) -> Metrics | None:
    """Make what --metrics_enable asks for, or config.json's `monitoring`."""
    if settings.metrics_enable:
        return make(settings.families, triton=settings.triton_metrics)
    if settings.config_path is None:
        return None
    try:
        monitoring = read_config(settings.config_path).monitoring
    except ConfigInvalid:
        return None  # which stops the start, when the models are looked for
    if monitoring is None or not monitoring.metrics.enable:
        return None
    if not settings.rest_port:
        raise CannotStart("rest_port setting is missing, metrics are enabled on rest port")
    return make(monitoring.metrics.metrics_list or SHOWN)
