"""KServe v2 over gRPC (https://github.com/kserve/open-inference-protocol), with the RPCs Triton added.

A frontend translates; it never decides. Each method: decode, one call, encode.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from google.protobuf.message import DecodeError
from tritonclient.grpc import service_pb2 as pb

from ovserve.dataplane import DataPlane
from ovserve.errors import OVServeError
from ovserve.frontends.extensions import EXTENSIONS
from ovserve.frontends.grpc import codec, request_bytes, response_bytes
from ovserve.frontends.grpc.answering import Handler, answering
from ovserve.frontends.grpc.status import abort, fitting, known, sentence
from ovserve.frontends.grpc.stream import Remote, Streamed
from ovserve.frontends.model_config import model_config
from ovserve.http2.call import Answer, Call
from ovserve.http2.inbox import Message as Data
from ovserve.requests import Door, InferRequest, InferResponse
from ovserve.seeing.watch import Watch
from ovserve.shared_memory import SharedMemory
from ovserve.tensors import TensorSpec
from ovserve.version import VERSION

SERVICE = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"]
INFER, STREAM = "ModelInfer", "ModelStreamInfer"
REQUEST = "inference.ModelInferRequest"
DOOR = Door("KServe", "gRPC")

_FINAL = "triton_final_response"
_EMPTY_FINAL = "triton_enable_empty_final_response"

Message: TypeAlias = Any  # a pb.ModelInferRequest


class InferenceService:
    """One method per RPC that is answered, under the RPC's name."""

    def __init__(self, dataplane: DataPlane, memory: SharedMemory) -> None:
        self._dataplane = dataplane
        self._memory = memory

    def ServerLive(self, _request: Any, _context: Call) -> Any:
        return pb.ServerLiveResponse(live=True)

    def ServerReady(self, _request: Any, _context: Call) -> Any:
        return pb.ServerReadyResponse(ready=self._dataplane.ready())

    def ModelReady(self, request: Any, _context: Call) -> Any:
        version = codec.parse_version(request.version, request.name)
        return pb.ModelReadyResponse(ready=self._dataplane.model_ready(request.name, version, DOOR))

    def ServerMetadata(self, _request: Any, _context: Call) -> Any:
        return pb.ServerMetadataResponse(name="ovserve", version=VERSION, extensions=EXTENSIONS)

    def ModelMetadata(self, request: Any, _context: Call) -> Any:
        version = codec.parse_version(request.version, request.name)
        metadata, versions = self._dataplane.metadata(request.name, version, DOOR)
        return pb.ModelMetadataResponse(
            name=metadata.name,
            versions=map(str, versions),
            platform=metadata.platform,
            inputs=map(_tensor_metadata, metadata.inputs),
            outputs=map(_tensor_metadata, metadata.outputs),
        )

    def ModelConfig(self, request: Any, _context: Call) -> Any:
        version = codec.parse_version(request.version, request.name)
        return pb.ModelConfigResponse(config=model_config(self._dataplane.served(request.name, version)))

    def answer(self, data: Data, context: Call) -> Answer:
        """Answer a message of ModelInfer."""
        request_id = ""
        try:
            with self._dataplane.watch(DOOR) as watch:
                request = self._read(data)
                request_id = request.id
                wanted = self._wanted(request, context, watch)
                return response_bytes.write(self._dataplane.infer(wanted, context, DOOR, watch), wanted.places)
        except Exception as error:  # noqa: BLE001 - told as a status, and logged where it is no known one
            told = known(error, REQUEST, request_id)
        abort(context, told, request_id)

    def answer_in_stream(self, data: Data, caller: Streamed) -> None:
        """Answer a message of ModelStreamInfer: an error ends the request, and not the stream (Triton)."""
        request_id = ""
        try:
            with self._dataplane.watch(DOOR) as watch:
                request = self._read(data)
                request_id = request.id
                self._infer_stream(request, caller, watch)
        except Exception as error:  # noqa: BLE001 - told as an answer, and logged where it is no known one
            caller.put([_told(error, request_id)], last=True)

    def _infer_stream(self, request: Any, caller: Streamed, watch: Watch) -> None:
        wanted = self._wanted(request, caller, watch)

        def send(response: InferResponse | OVServeError | None, *, final: bool) -> None:
            if isinstance(response, OVServeError):
                caller.put([_told(response, wanted.id)], last=final)
            elif response is not None:
                caller.put(response_bytes.write_in_stream(response, wanted.places, final=final), last=final)
            elif final and wanted.parameters.get(_EMPTY_FINAL) is True:
                caller.put([_empty_final(request)], last=True)

        self._dataplane.infer_stream(wanted, caller, send, DOOR, watch)

    def _read(self, data: Data) -> InferRequest | Message:
        """Read a request at once where it has the common form; raises `InvalidInput` for what is no message."""
        request = request_bytes.read(data, self._memory)
        if request is not None:
            return request
        try:
            return pb.ModelInferRequest.FromString(bytes(data))
        except DecodeError as error:
            raise known(error, REQUEST, "") from None

    def _wanted(self, request: InferRequest | Message, caller: Remote, watch: Watch) -> InferRequest:
        watch.carry(caller.invocation_metadata)
        if isinstance(request, InferRequest):
            return request
        watch.know(request.model_name, request.model_version or None, request.id)
        return codec.decode(request, self._memory)


def _empty_final(request: Message) -> bytes:
    answer = pb.ModelStreamInferResponse()
    answer.infer_response.model_name = request.model_name
    answer.infer_response.model_version = request.model_version
    answer.infer_response.id = request.id
    answer.infer_response.parameters[_FINAL].bool_param = True
    return bytes(answer.SerializeToString())


def _told(error: Exception, request_id: str) -> bytes:
    told = sentence(known(error, REQUEST, request_id), request_id)
    answer = pb.ModelStreamInferResponse(error_message=fitting(told))
    answer.infer_response.id = request_id
    return bytes(answer.SerializeToString())


def handlers(services: Sequence[object], otherwise: Callable[[str], Handler]) -> dict[str, Handler]:
    """Make a handler, by path, for every RPC that the protocol names, but those that infer.

    `otherwise` makes those of RPCs that none of the `services` answers.
    """
    paths = {f"/{SERVICE.full_name}/{method.name}": method for method in SERVICE.methods}
    return {
        path: _handler(services, method) or otherwise(path)
        for path, method in paths.items()
        if method.name not in (INFER, STREAM)
    }


def _handler(services: Sequence[object], method: Any) -> Handler | None:
    implementation = next((getattr(each, method.name) for each in services if hasattr(each, method.name)), None)
    return None if implementation is None else answering(implementation, getattr(pb, method.input_type.name))


def _tensor_metadata(spec: TensorSpec) -> Any:
    return pb.ModelMetadataResponse.TensorMetadata(name=spec.name, datatype=spec.datatype, shape=spec.wire_shape)
