"""The echo: our server with inference left out.

A child process with the same core, threads, codec and messages as `ovserve`. Only the first request is inferred; its
answer is every later request's answer.
"""

import sys
import threading
from typing import Annotated

from cyclopts import App, Parameter

from ovserve.config.settings import Settings
from ovserve.core import compose
from ovserve.errors import CannotStart
from ovserve.freed_memory import keep_freed_memory
from ovserve.frontends.grpc.server import GrpcServer
from ovserve.http2.limits import Limits
from ovserve.observability import logs
from ovserve.requests import Caller, InferRequest, InferResponse
from ovserve.serving.registry import Registry, State, VersionStatus
from ovserve.serving.servable import Servable


class Echo:
    """Stands where `model` stood, and repeats its first answer without checks, slots or queue."""

    def __init__(self, model: Servable) -> None:
        self.config = model.config
        self.metadata = model.metadata
        self.taken = model.taken
        self.slots = model.slots
        self.streams = model.streams
        self.running = 0
        self.note = model.note
        self.warnings = model.warnings
        self.described = model.described
        self.labels = model.labels
        self.in_flight = model.in_flight
        self.statistics = model.statistics
        self._model = model
        self._answer: InferResponse | None = None

    @property
    def admitted_at_once(self) -> int:
        """As many as the model's, so that the server has as many threads."""
        return self._model.admitted_at_once

    def infer(self, request: InferRequest, caller: Caller, *, admitted: bool = False) -> InferResponse:
        if self._answer is None:
            self._answer = self._model.infer(request, caller, admitted=admitted)
        return InferResponse(request.model, self.metadata.version, self._answer.outputs, request.id)


def replace_by_echoes(registry: Registry) -> None:
    for name, entry in registry.entries.items():
        for version, model in entry.available.items():
            registry.put(name, version, VersionStatus(State.AVAILABLE, Echo(model)))


cli = App(default_parameter=Parameter(name_transform=lambda name: name))


@cli.default
def serve(*, settings: Annotated[Settings | None, Parameter(name="*")] = None) -> None:
    """Listen on a free port and say so in `ovserve`'s words, until a signal ends the process."""
    settings = settings or Settings()
    keep_freed_memory()
    logs.configure(settings.log_level, settings.log_format)
    core = compose(settings)
    try:
        core.load()
    except CannotStart as error:
        sys.exit(f"ovserve: {error}")
    replace_by_echoes(core.registry)
    limits = Limits(settings.grpc_max_message_bytes)
    server = GrpcServer(core.dataplane, core.control, core.registry, core.shared_memory, limits=limits)
    addresses = server.bind(settings.grpc_addresses, 0)
    server.start()
    core.dataplane.open()
    server.follow()
    print(f"ovserve: KServe v2 gRPC on {', '.join(addresses)}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    cli()
