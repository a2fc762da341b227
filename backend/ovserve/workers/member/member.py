"""A worker's objects, and what it does about what the server says."""

import gc
import os
import socket
from functools import partial
from pathlib import Path
from typing import Any

from ovserve.config.settings import Settings
from ovserve.dataplane import DataPlane
from ovserve.engine.core_budget import CoreBudget
from ovserve.engine.crew import Crew
from ovserve.equipment import make_engine, make_spans
from ovserve.errors import LoadFailed
from ovserve.frontends.grpc.forwarding import Elsewhere
from ovserve.grpc_door import make_certificates, make_grpc_server
from ovserve.observability import logs
from ovserve.observability.logs import get_logger
from ovserve.processes.channel import Frame
from ovserve.security.key_file import make_keys
from ovserve.seeing import request_log
from ovserve.seeing.outcome import Outcome
from ovserve.seeing.tracing import Tracer
from ovserve.serving.decoding_turns import make_decoding_turns
from ovserve.serving.host import Hosts
from ovserve.serving.loader import load_version
from ovserve.serving.own_metrics import OwnMetrics
from ovserve.serving.registry import Registry
from ovserve.shared_memory import Region, SharedMemory
from ovserve.workers.letters import values
from ovserve.workers.letters.conversation import Head
from ovserve.workers.member.counter import Counter
from ovserve.workers.member.mirror import Mirror
from ovserve.workers.member.server_side import ServerSide

_ONE_KEY = "API_KEY"
_LAST_SPANS_S = 5.0

logger = get_logger("ovserve.workers")


class _Tracer(Tracer):
    """Has the server choose: every so many requests of all workers."""

    def __init__(self, server: ServerSide) -> None:
        super().__init__()
        self._server = server

    def trace(self, outcome: Outcome) -> None:
        self._server.trace(outcome)


class Member:
    """Serves what the server has told it to, and decides nothing; raises `CannotStart`."""

    def __init__(self, server: ServerSide, settings: Settings, budget: CoreBudget) -> None:
        self.server = server
        keys = make_keys(settings.api_key_file, os.environ.get(_ONE_KEY))
        self._registry = Registry()
        turns = make_decoding_turns(budget.cores)
        engine = make_engine(settings, budget)
        self._spans = make_spans(settings)
        self._tracer = _Tracer(server)
        self._dataplane = DataPlane(
            self._registry,
            strict_readiness=settings.strict_readiness,
            load_wait_seconds=settings.load_wait_seconds,
            spans=None if self._spans is None else self._spans.record,
            tracer=self._tracer,
        )
        own = OwnMetrics()
        self._load = partial(load_version, engine, turns, hosts=Hosts(self._dataplane, own))
        self._mirror = Mirror(self._registry, turns, server)
        self._memory = SharedMemory(is_open=False)
        refusals = dict if keys is None else keys.refusals.read
        self._counter = Counter(server, self._mirror.served, lambda: self._dataplane.totals, refusals, own.families)
        self._grpc = make_grpc_server(
            settings,
            self._dataplane,
            Elsewhere(server.call),
            self._registry,
            self._memory,
            certificates=make_certificates(settings),
            keys=keys,
        )
        self._crew = Crew("member")

    def begin(self) -> None:
        """Let clients in."""
        self._grpc.on_closed(lambda: self.server.say("closed"))
        self._grpc.start()
        self._counter.run()

    def take(self, frame: Frame) -> None:
        """Do what the server says; in the thread that receives, so what takes long is done in another."""
        head = frame.head
        match head["kind"]:
            case "answer":
                self.server.conversation.take_answer(frame)
            case "load":
                self._mirror.await_load(head["number"])
                self._crew.run(partial(self._load_one, head))
            case "drain":
                self._crew.run(partial(self._drain, head))
            case "stop":
                self._crew.run(partial(self._stop, head))
            case "count":
                self._crew.run(partial(self._count, head))
            case "drop":
                self._mirror.drop(head["number"])
            case _:
                self._follow(head)
                if "c" in head:
                    self.server.conversation.answer(head, {})

    def take_file(self, head: Head, file: int) -> None:
        """Take over an open file that the server gives away."""
        if head["kind"] == "connection":
            self._grpc.adopt(socket.socket(fileno=file))
            return
        self._memory.remove(head["name"])
        self._memory.add(Region(head["name"], head["key"], head["offset"], head["byte_size"], file))
        self.server.conversation.answer(head, {})

    def _follow(self, head: Head) -> None:
        match head["kind"]:
            case "entry":
                self._mirror.follow(head["name"], values.read(head["entry"]))
            case "no_region":
                self._memory.remove(head["name"])
            case "traces":
                self._tracer.is_on = head["on"]
            case "log":
                logs.set_level(head["level"])
                request_log.switch(on=head["requests"])
            case "phase":
                self._enter(head["phase"])

    def _enter(self, phase: str) -> None:
        if phase == "open":
            self._dataplane.open()
            self._grpc.follow()
        elif phase == "closing":
            self._dataplane.close()
            self._grpc.not_serving()

    def _load_one(self, head: Head) -> None:
        answer: dict[str, Any] = {}
        try:
            config, version, place = values.read(head["config"]), head["version"], Path(head["place"])
            servable = self._load(config, version, place, private_weights=_reachable(head["weights"]))
            self._mirror.put(head["number"], servable)
        except LoadFailed as error:
            answer["failed"] = str(error)
        except Exception as fault:
            logger.exception("version failed", version=head["version"], place=head["place"])
            answer["failed"] = f"internal error while loading: {type(fault).__name__}"
        self.server.conversation.answer(head, answer)

    def _count(self, head: Head) -> None:
        self._counter.tell()
        self.server.conversation.answer(head, {})

    def _drain(self, head: Head) -> None:
        self.server.conversation.answer(head, {"drained": self._dataplane.drain(head["timeout_s"])})

    def _stop(self, head: Head) -> None:
        self._grpc.stop(head["grace_s"])
        if self._spans is not None:
            self._spans.close(_LAST_SPANS_S)
        self._counter.tell()
        self.server.conversation.answer(head, {})
        self._mirror.clear()
        gc.collect()
        os._exit(0)


def _reachable(place: str | None) -> Path | None:
    """Say where the server's copy of weights lies, if the system lets us look there."""
    return Path(place) if place is not None and os.access(place, os.R_OK) else None
