"""The gRPC server in the test's own process, on a free port."""

from ovserve.core import Core
from ovserve.frontends.grpc.server import GrpcServer
from ovserve.http2.limits import Limits
from ovserve.security.certificates import Certificates


class GrpcDoor:
    """Opens on a core that has its models; `limits` are those of the server."""

    def __init__(
        self, core: Core, *, message_bytes: int = 16 << 20, certificates: Certificates | None = None, **limits: int
    ) -> None:
        self.core = core
        parts = (core.dataplane, core.control, core.registry, core.shared_memory)
        self._server = GrpcServer(*parts, limits=Limits(message_bytes, **limits), certificates=certificates)
        (self.address,) = self._server.bind(["127.0.0.1"], 0)
        self._server.start()

    def stop(self, grace_s: float = 0) -> None:
        self._server.stop(grace_s)
