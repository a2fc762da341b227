"""The gRPC server: its services, health and reflection, on the addresses given."""

import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from grpc_health.v1 import health as grpc_health
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2
from tritonclient.grpc import service_pb2

from ovserve.control import Control
from ovserve.dataplane import DataPlane
from ovserve.errors import OVServeError
from ovserve.frontends.grpc import tfs
from ovserve.frontends.grpc.answering import Handler, refusing
from ovserve.frontends.grpc.forwarding import Elsewhere, answer_handed_on
from ovserve.frontends.grpc.kserve import INFER, SERVICE, STREAM, InferenceService, handlers
from ovserve.frontends.grpc.limits import changed
from ovserve.frontends.grpc.management import ManagementService
from ovserve.frontends.grpc.reflected import make_pool
from ovserve.frontends.grpc.rights import RightsCheck
from ovserve.frontends.grpc.settings import SettingsService
from ovserve.frontends.grpc.shared_memory import SharedMemoryService
from ovserve.frontends.grpc.stream import Streams
from ovserve.frontends.tfs.messages import POOL
from ovserve.frontends.thread_count import threads_for
from ovserve.handler_threads import HandlerThreads
from ovserve.http2.library import Registrar
from ovserve.http2.limits import Limits
from ovserve.http2.methods import Unary
from ovserve.http2.server import Server
from ovserve.security.certificates import Certificates
from ovserve.security.keys import Keys
from ovserve.serving.registry import Registry
from ovserve.shared_memory import SharedMemory
from ovserve.workers.letters.handed_on import Answered

# What never waits is answered by whoever reads it, however busy the models are.
_QUICK = {"ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelConfig"}
# A load may take minutes: those who ask for one wait on threads of their own.
_LOADS = {"RepositoryModelLoad", "RepositoryModelUnload"}
_MANAGEMENT_THREADS = 4
_OTHER_THREADS = 8


class CannotListen(OVServeError):
    """A port that cannot be had."""


class GrpcServer:
    """KServe v2, TensorFlow Serving, grpc.health.v1 and reflection on the addresses given."""

    def __init__(
        self,
        dataplane: DataPlane,
        control: Control | Elsewhere,
        registry: Registry,
        shared_memory: SharedMemory,
        *,
        limits: Limits,
        channel_arguments: Mapping[str, str | int] = MappingProxyType({}),
        certificates: Certificates | None = None,
        keys: Keys | None = None,
    ) -> None:
        self._dataplane = dataplane
        self._registry = registry
        self._health = grpc_health.HealthServicer(experimental_non_blocking=True)
        self._server = Server(
            changed(limits, channel_arguments),
            None if keys is None else RightsCheck(keys, dataplane),
            None if certificates is None else lambda: certificates.current().grpc_context,
        )
        self._management = HandlerThreads("grpc-management")
        self._management.allow(_MANAGEMENT_THREADS)
        self._others = HandlerThreads("grpc-other")
        self._others.allow(_OTHER_THREADS)
        service = InferenceService(dataplane, shared_memory)
        self._streams = Streams(service.answer_in_stream, self._server.threads)
        if isinstance(control, Elsewhere):
            self._add(service, [service], [tfs.Service(dataplane)], control.answer)
        else:
            memory, settings = SharedMemoryService(shared_memory), SettingsService(dataplane, control)
            kserve = [service, ManagementService(dataplane, control), memory, settings]
            self._add(service, kserve, [tfs.Service(dataplane), tfs.StatusService(control)], refusing)
        self._add_health_and_reflection(tfs.NAMES)
        self._following = threading.Lock()
        self.follow()
        registry.on_change(self.follow)

    def _add(
        self,
        service: InferenceService,
        kserve: Sequence[object],
        of_tfs: Sequence[object],
        otherwise: Callable[[str], Handler],
    ) -> None:
        methods = {**handlers(kserve, otherwise), **tfs.handlers(of_tfs, otherwise)}
        self._server.add({path: Unary(handler, self._threads_of(path)) for path, handler in methods.items()})
        self._server.add(
            {
                f"/{SERVICE.full_name}/{INFER}": Unary(service.answer, self._server.threads),
                f"/{SERVICE.full_name}/{STREAM}": self._streams.method(),
            }
        )

    def _threads_of(self, path: str) -> HandlerThreads | None:
        name = path.rpartition("/")[2]
        if name in _QUICK:
            return None
        if name == tfs.PREDICT:
            return self._server.threads
        return self._management if name in _LOADS else self._others

    def _add_health_and_reflection(self, tfs_services: Sequence[str]) -> None:
        registrar = Registrar(self._others)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, registrar)
        names = (SERVICE.full_name, *tfs_services, grpc_health.SERVICE_NAME, reflection.SERVICE_NAME)
        known = [service_pb2.DESCRIPTOR, health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR]
        known += [POOL.FindFileContainingSymbol(service) for service in tfs_services]
        reflection.enable_server_reflection(names, registrar, make_pool(known))  # type: ignore[arg-type] # it only registers
        self._server.add(registrar.methods)

    def bind(self, addresses: Sequence[str], port: int) -> list[str]:
        """Listen on each address, all with the same port (0 picks a free one), and return them as host:port.

        Raises `CannotListen`.
        """
        bound: list[str] = []
        for address in addresses:
            host = f"[{address}]" if ":" in address else address
            try:
                port = self._server.listen(address, port)
            except OSError as error:
                raise CannotListen(f"cannot listen on {host}:{port} for gRPC: {error.strerror}") from error
            bound.append(f"{host}:{port}")
        return bound

    def start(self) -> None:
        self._server.start()

    def adopt(self, connected: socket.socket) -> None:
        """Look after a connection that was accepted elsewhere."""
        self._server.adopt(connected)

    def hand_over(self, hand: Callable[[socket.socket], None]) -> None:
        """Have `hand` say who looks after each connection that is accepted here; before the start."""
        self._server.hand_over(hand)

    def on_closed(self, closed: Callable[[], None]) -> None:
        """Call `closed` for each connection that has ended; before the start."""
        self._server.on_closed(closed)

    def answer_handed_on(self, path: str, data: bytes, left_s: float) -> Answered:
        """Answer an RPC that came to another process, where its key was looked at."""
        return answer_handed_on(self._server.method(path), data, left_s)

    def not_serving(self) -> None:
        """Tell health's watchers, for good, that nothing is served any more."""
        self._health.enter_graceful_shutdown()

    def stop(self, grace_s: float) -> None:
        """Refuse new calls, let those in flight finish for `grace_s` seconds, and return when all have ended."""
        self._streams.close()
        self._server.stop(grace_s)

    def follow(self) -> None:
        """Bring health and the number of threads in line with the models."""
        with self._following:
            self._publish("", ready=self._dataplane.ready())
            self._publish(SERVICE.full_name, ready=self._dataplane.ready())
            for name, entry in self._registry.entries.items():
                self._publish(name, ready=bool(entry.available))
            self._server.allow(threads_for(self._dataplane, self._registry))

    def _publish(self, service: str, *, ready: bool) -> None:
        status = health_pb2.HealthCheckResponse.SERVING if ready else health_pb2.HealthCheckResponse.NOT_SERVING
        self._health.set(service, status)
