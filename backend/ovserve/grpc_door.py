"""Settings -> the gRPC server of a process."""

from ovserve.config.settings import Settings
from ovserve.control import Control
from ovserve.dataplane import DataPlane
from ovserve.frontends.grpc.forwarding import Elsewhere
from ovserve.frontends.grpc.server import GrpcServer
from ovserve.http2.limits import Limits
from ovserve.security.certificates import CertificateFiles, Certificates
from ovserve.security.keys import Keys
from ovserve.serving.registry import Registry
from ovserve.shared_memory import SharedMemory


def make_grpc_server(
    settings: Settings,
    dataplane: DataPlane,
    control: Control | Elsewhere,
    registry: Registry,
    shared_memory: SharedMemory,
    *,
    certificates: Certificates | None,
    keys: Keys | None,
) -> GrpcServer:
    """Make the server that listens, or one of its workers' (`Elsewhere`)."""
    return GrpcServer(
        dataplane,
        control,
        registry,
        shared_memory,
        limits=Limits(
            settings.grpc_max_message_bytes,
            settings.grpc_max_connections,
            settings.grpc_max_concurrent_streams,
        ),
        channel_arguments=settings.channel_arguments,
        certificates=certificates,
        keys=keys,
    )


def make_certificates(settings: Settings) -> Certificates | None:
    """Read what --tls_cert and --tls_key name; raises `CannotStart`."""
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    return Certificates(CertificateFiles(settings.tls_cert, settings.tls_key, settings.tls_client_ca))
