"""The server as a process: listen, load, serve, drain, stop."""

import os
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from ovserve.bus_errors import BUS_ERRORS
from ovserve.config.settings import Settings
from ovserve.core import Core, compose
from ovserve.engine import openvino
from ovserve.errors import CannotStart
from ovserve.freed_memory import keep_freed_memory
from ovserve.frontends.grpc.server import CannotListen, GrpcServer
from ovserve.grpc_door import make_certificates, make_grpc_server
from ovserve.observability.logs import get_logger
from ovserve.open_files import allow_open_files
from ovserve.security.certificates import Certificates
from ovserve.signals import Event, Events, Signals
from ovserve.version import VERSION

if TYPE_CHECKING:
    from ovserve.frontends.rest.server import RestServer

# An answer given at the last moment still has to reach its client.
_LAST_ANSWERS_S = 0.1

# A collector that does not answer is not waited for any longer.
_LAST_SPANS_S = 5.0

# For models to finalize, beyond what requests in flight have left.
_LAST_WORDS_S = 5.0

# Clients in the middle of a conversation come back at once: they are told UNAVAILABLE, which they may try elsewhere.
# A request that arrives in the very moment in which gRPC shuts down would be CANCELLED.
_LINGER_S = 0.2

logger = get_logger("ovserve")


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT and return the exit code; raises `CannotStart`.

    SIGHUP has configuration and repository looked at, in modes `watch` and `poll`.
    The port is taken before models load, so that a port in use is told at once and liveness is answered meanwhile.
    """
    allow_open_files()
    keep_freed_memory()
    events = Events()
    signals = Signals({**events.handlers, **BUS_ERRORS.handlers()})
    with signals, ThreadPoolExecutor(1, thread_name_prefix="load") as executor:
        core = compose(settings)
        doors = _listen(core)
        logger.info("listening, and loading models", **_where(doors))
        core.workers.start()
        loading = executor.submit(core.load, may_be_empty=settings.control_mode != "none")
        loading.add_done_callback(lambda _: events.put_loaded())
        if _is_stopped_before(events, Event.LOADED):
            logger.warning("stopped while models were loading")
            _leave()
        try:
            loading.result()
        except CannotStart:
            for door in doors:
                door.server.stop(0)
            raise
        core.open()
        for door in doors:
            door.server.follow()
        with core.following(), core.sequencing.cleaning():
            _tell_started(core, doors)
            while events.get() is not Event.STOP:
                if settings.control_mode != "none":
                    core.reconciler.dirty.set()
        _drain(core, doors)
    return 0


def _is_stopped_before(events: Events, awaited: Event) -> bool:
    while (event := events.get()) is not awaited:
        if event is Event.STOP:
            return True
    return False


@dataclass(frozen=True, slots=True)
class _Door:
    """A server that listens, and where."""

    protocol: str
    server: "GrpcServer | RestServer"
    addresses: list[str]


def _listen(core: Core) -> list[_Door]:
    """Take all ports before anybody is let in."""
    settings = core.settings
    certificates = make_certificates(settings)
    if core.keys is not None and certificates is None and not settings.is_local:
        logger.warning("keys come over the network unencrypted: give --tls_cert and --tls_key")
    doors = []
    if settings.port:
        doors.append(_grpc(core, 0 if settings.port == "auto" else settings.port, certificates))
    if settings.rest_port:
        doors.append(_rest(core, 0 if settings.rest_port == "auto" else settings.rest_port, certificates))
    for door in doors:
        door.server.start()
    return doors


def _where(doors: Sequence[_Door]) -> dict[str, list[str]]:
    return {door.protocol.rpartition(" ")[2].lower(): door.addresses for door in doors}


def _tell_started(core: Core, doors: Sequence[_Door]) -> None:
    """Tell the log and whoever started us that requests are answered, and where."""
    settings = core.settings
    logger.info(
        "started",
        version=VERSION,
        openvino=openvino.VERSION,
        **_where(doors),
        tls=settings.tls_cert is not None,
        keys=core.keys is not None,
    )
    for door in doors:
        print(f"ovserve: {door.protocol} on {', '.join(door.addresses)}", flush=True)


def _grpc(core: Core, port: int, certificates: Certificates | None) -> _Door:
    settings, workers = core.settings, core.workers
    server = make_grpc_server(
        settings,
        core.dataplane,
        core.control,
        core.registry,
        core.shared_memory,
        certificates=certificates,
        keys=core.keys,
    )
    workers.connections.adopt_with(server.adopt)
    workers.calls.answer_rpc = server.answer_handed_on
    server.hand_over(workers.connections.hand)
    server.on_closed(workers.connections.closed)
    try:
        return _Door("KServe v2 gRPC", server, server.bind(settings.grpc_addresses, port))
    except CannotListen as error:
        raise CannotStart(str(error)) from error


def _rest(core: Core, port: int, certificates: Certificates | None) -> _Door:
    from ovserve.frontends.rest.server import RestServer  # noqa: PLC0415 - half a second, only for those who ask

    settings = core.settings
    server = RestServer(
        core.dataplane,
        core.control,
        core.registry,
        core.shared_memory,
        max_body_bytes=settings.rest_max_body_bytes,
        max_connections=settings.rest_max_connections,
        cors=settings.cors,
        certificates=certificates,
        keys=core.keys,
        metrics=core.metrics,
    )
    return _Door("KServe v2 REST", server, server.bind(settings.rest_addresses, port))


def _drain(core: Core, doors: Sequence[_Door]) -> None:
    """Readiness off and new requests refused while those in flight finish; then close the door."""
    grace_s = core.settings.exit_timeout_secs
    logger.info("stopping", exit_timeout_secs=grace_s)
    core.close()
    for door in doors:
        door.server.not_serving()
    started_s = time.monotonic()
    drained = core.drain(grace_s)
    time.sleep(_LINGER_S)
    remaining_s = max(_LAST_ANSWERS_S, grace_s - (time.monotonic() - started_s))
    with ThreadPoolExecutor(1 + len(doors)) as executor:
        stops = [core.workers.stop, *(door.server.stop for door in doors)]
        list(executor.map(lambda stop: stop(remaining_s), stops))
    if core.spans is not None:
        core.spans.close(min(_LAST_SPANS_S, max(_LAST_ANSWERS_S, grace_s - (time.monotonic() - started_s))))
    totals = core.totals
    failed = totals.accepted - totals.answered
    logger.info("stopped", requests=totals.accepted, answered=totals.answered, failed=failed)
    if not drained:
        logger.warning("requests were still running and will not be answered", exit_timeout_secs=grace_s)
        _leave()
    # What models do last must not keep the process: their finalize, threads of their own, what was given up.
    threading.Thread(target=_leave_later, args=(remaining_s + _LAST_WORDS_S,), name="leave", daemon=True).start()
    core.workers.wait(remaining_s + _LAST_WORDS_S)


def _leave_later(seconds: float) -> None:
    time.sleep(seconds)
    logger.warning("models were still running and are not waited for")
    _leave()


def _leave() -> NoReturn:
    """End at once: a running inference or compilation cannot be interrupted, and nobody waits for it any more."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
