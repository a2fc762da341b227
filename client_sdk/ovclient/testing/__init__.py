"""A real server for users' tests, gRPC and REST, whose models are plain functions.

with FakeServer() as server:
    server.add_model("double", lambda inputs: {"y": inputs["x"] * 2})
    with Client(server.address) as client:
        assert client.infer("double", {"x": [1, 2]})["y"].tolist() == [2, 4]
"""

from concurrent import futures
from types import TracebackType
from typing import Any, Self

import grpc
import numpy as np
from tritonclient.grpc import service_pb2_grpc

from ovclient._decode import decode_all
from ovclient.pipeline import Pipeline
from ovclient.testing._model import FakeModel, Function, Received, Signature
from ovclient.testing._service import FakeService

__all__ = ["FakeModel", "FakeServer", "Function", "Received", "Signature"]

_OPTIONS = [
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]


class FakeServer:
    """A KServe v2 server on free loopback ports, gRPC at `address` and REST at `rest_address`; use it with `with`.

    With `credentials` (`grpc.ssl_server_credentials`) gRPC speaks TLS. `max_workers` calls of gRPC run at once.
    """

    def __init__(self, credentials: grpc.ServerCredentials | None = None, *, max_workers: int = 8) -> None:
        self._service = FakeService()
        self._server = grpc.server(futures.ThreadPoolExecutor(max_workers), options=_OPTIONS)
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(self._service, self._server)
        if credentials is None:
            self.port = self._server.add_insecure_port("127.0.0.1:0")
        else:
            self.port = self._server.add_secure_port("127.0.0.1:0", credentials)
        self.address = f"localhost:{self.port}"
        self._rest: Any = None
        self._started = False

    @property
    def rest_address(self) -> str:
        """`http://localhost:...`, opened by the first who asks for it."""
        if self._rest is None:
            from ovclient.testing._rest import RestDoor  # noqa: PLC0415 - who speaks gRPC need not pay for HTTP

            self._rest = RestDoor(self._service)
            if self._started:
                self._rest.start()
        address: str = self._rest.address
        return address

    def add_model(
        self,
        name: str,
        function: Function,
        *,
        inputs: Signature | None = None,
        outputs: Signature | None = None,
        version: str = "1",
        state: str = "READY",
        reason: str = "",
        pipeline: Pipeline | None = None,
    ) -> None:
        """Serve `function` as model `name`; a model of that name is replaced.

        `inputs` and `outputs` are what metadata says, as in `{"x": ("FP32", [-1, 4])}`; requests are not checked
        against them. What the function raises is answered as INTERNAL.

        A `state` other than READY refuses; "" is a model that was never loaded. Loading makes it READY, but for a
        model that is UNAVAILABLE for a `reason`, which refuses the load too.

        A `pipeline` is the graph shown for it; `function` answers for the whole.
        """
        model = FakeModel(function, inputs or {}, outputs or {}, version, state=state, reason=reason, pipeline=pipeline)
        self._service.models[name] = model

    def fail(self, rpc: str, code: grpc.StatusCode, message: str = "") -> None:
        """Answer every further call of `rpc` ("ModelInfer") with an error; over REST with the status that means it."""
        self._service.told[rpc] = (code, message)

    def answer(self, rpc: str, message: Any) -> None:
        """Answer every further call of `rpc` with this very protobuf message, however wrong.

        None goes back to the models' own answers, after `fail` too.
        """
        self._service.told[rpc] = message

    @property
    def received(self) -> list[Received]:
        """Every call so far, in the order they came."""
        return list(self._service.received)

    def requests(self, rpc: str = "ModelInfer") -> list[Any]:
        """The messages of all calls of `rpc` so far."""
        return [call.request for call in self.received if call.rpc == rpc]

    def inputs(self, position: int = -1) -> dict[str, np.ndarray]:
        """The arrays of one inference request, by default the last."""
        request = self.requests()[position]
        return decode_all(request.inputs, request.raw_input_contents)

    def start(self) -> Self:
        self._server.start()
        self._started = True
        if self._rest is not None:
            self._rest.start()
        return self

    def stop(self) -> None:
        """Stop at once; calls under way are cancelled."""
        self._server.stop(0).wait()
        if self._rest is not None:
            self._rest.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
