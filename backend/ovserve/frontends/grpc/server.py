"""The gRPC server: sockets, threads, health and reflection."""

import socket
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

import grpc
from grpc_health.v1 import health as grpc_health
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2
from tritonclient.grpc import service_pb2

from ovserve.control import Control
from ovserve.dataplane import DataPlane
from ovserve.errors import OVServeError
from ovserve.frontends.grpc import tfs
from ovserve.frontends.grpc.credentials import credentials
from ovserve.frontends.grpc.kserve import INFER, SERVICE, STREAM, InferenceService, handlers
from ovserve.frontends.grpc.limits import Limits
from ovserve.frontends.grpc.reflected import make_pool
from ovserve.frontends.grpc.rights import RightsCheck
from ovserve.frontends.grpc.settings import SettingsService
from ovserve.frontends.grpc.shared_memory import SharedMemoryService
from ovserve.frontends.grpc.stream import Streams
from ovserve.frontends.handler_threads import HandlerThreads, threads_for
from ovserve.frontends.tfs.messages import POOL
from ovserve.security.certificates import Certificates
from ovserve.security.keys import Keys
from ovserve.serving.registry import Registry
from ovserve.shared_memory import SharedMemory

# Health, readiness and metadata have threads of their own, so that they answer however busy the models are.
_PROBE_THREADS = 4
_MANAGEMENT_THREADS = 4
_OWN_ARGUMENTS = {
    "grpc.so_reuseport": 0,  # else a second server starts silently and takes half of the connections
    "grpc.experimental.tcp_read_chunk_size": 256 << 10,  # by itself 8 KiB: a large message comes in many small pieces
}


class CannotListen(OVServeError):
    """A port that cannot be had."""


class GrpcServer:
    """KServe v2, TensorFlow Serving, grpc.health.v1 and reflection on the addresses given."""

    def __init__(
        self,
        dataplane: DataPlane,
        control: Control,
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
        self._certificates = certificates
        self._health = grpc_health.HealthServicer(experimental_non_blocking=True)
        self._server = grpc.server(
            ThreadPoolExecutor(_PROBE_THREADS, thread_name_prefix="grpc-probe"),
            options=tuple({**_OWN_ARGUMENTS, **limits.channel_arguments(), **channel_arguments}.items()),
            interceptors=[] if keys is None else [RightsCheck(keys, dataplane)],
        )

        self._infer_threads = HandlerThreads("grpc-infer")
        service = InferenceService(dataplane, control, shared_memory)
        self._streams = self._add_kserve(
            service, SharedMemoryService(shared_memory), SettingsService(dataplane, control)
        )
        tfs_services = self._add_tfs(tfs.Service(dataplane, control))
        self._add_health_and_reflection(tfs_services)
        self._following = threading.Lock()
        self.follow()
        registry.on_change(self.follow)

    def _add_kserve(self, service: InferenceService, *others: object) -> Streams:
        methods = handlers(service, *others)
        streams = Streams(service.answer_in_stream, self._infer_threads)
        methods[STREAM] = streams.handler()
        methods[INFER] = service.handler(self._infer_threads)
        # A load may take minutes: those who ask for one wait on threads of their own.
        management = ThreadPoolExecutor(_MANAGEMENT_THREADS, thread_name_prefix="grpc-management")
        for name in ("RepositoryModelLoad", "RepositoryModelUnload"):
            methods[name].unary_unary.experimental_thread_pool = management
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE.full_name, methods),))
        return streams

    def _add_tfs(self, service: tfs.Service) -> tuple[str, ...]:
        """Add TensorFlow Serving's services, and name them."""
        services = tfs.handlers(service)
        services[tfs.PREDICTION]["Predict"].unary_unary.experimental_thread_pool = self._infer_threads
        for name, methods in services.items():
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, methods),))
        return tuple(services)

    def _add_health_and_reflection(self, tfs_services: Sequence[str]) -> None:
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (SERVICE.full_name, *tfs_services, grpc_health.SERVICE_NAME, reflection.SERVICE_NAME)
        known = [service_pb2.DESCRIPTOR, health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR]
        known += [POOL.FindFileContainingSymbol(service) for service in tfs_services]
        reflection.enable_server_reflection(names, self._server, make_pool(known))

    def bind(self, addresses: Sequence[str], port: int) -> list[str]:
        """Listen on each address, all with the same port (0 picks a free one), and return them as host:port.

        Raises `CannotListen`.
        """
        bound: list[str] = []
        for address in addresses:
            host = f"[{address}]" if ":" in address else address
            try:
                _check_free(address, port)
                port = self._add_port(f"{host}:{port}")
            except OSError as error:
                raise CannotListen(f"cannot listen on {host}:{port} for gRPC: {error.strerror}") from error
            except RuntimeError as error:
                raise CannotListen(f"cannot listen on {host}:{port} for gRPC") from error
            bound.append(f"{host}:{port}")
        return bound

    def _add_port(self, address: str) -> int:
        if self._certificates is None:
            return self._server.add_insecure_port(address)
        return self._server.add_secure_port(address, credentials(self._certificates))

    def start(self) -> None:
        self._server.start()

    def not_serving(self) -> None:
        """Tell health's watchers, for good, that nothing is served any more."""
        self._health.enter_graceful_shutdown()

    def stop(self, grace_s: float) -> None:
        """Refuse new calls, let those in flight finish for `grace_s` seconds, and return when all have ended."""
        self._streams.close()
        self._server.stop(grace_s).wait()

    def follow(self) -> None:
        """Bring health and the number of threads in line with the models."""
        with self._following:
            self._publish("", ready=self._dataplane.ready())
            self._publish(SERVICE.full_name, ready=self._dataplane.ready())
            for name, entry in self._registry.entries.items():
                self._publish(name, ready=bool(entry.available))
            self._infer_threads.allow(threads_for(self._dataplane, self._registry))

    def _publish(self, service: str, *, ready: bool) -> None:
        status = health_pb2.HealthCheckResponse.SERVING if ready else health_pb2.HealthCheckResponse.NOT_SERVING
        self._health.set(service, status)


def _check_free(address: str, port: int) -> None:
    """Raise the `OSError` that says why a port cannot be had; gRPC itself only says that it cannot."""
    family, kind, protocol, _, where = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(where)
        probe.listen()
