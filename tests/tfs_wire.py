"""TensorFlow Serving's messages over a socket, made by hand: no TensorFlow, no client library."""

from collections.abc import Mapping

import grpc
import numpy as np
from google.protobuf.message import Message

from ovserve.frontends.tfs import messages, tensors
from ovserve.frontends.tfs.messages import PredictRequest
from ovserve.tensors import DType, Tensor
from wire_server import TIMEOUT_S, Answer, answer

PREDICTION = "/tensorflow.serving.PredictionService/"
MODEL = "/tensorflow.serving.ModelService/"
_BY_NUMPY = {dtype.numpy: dtype for dtype in DType if dtype is not DType.BF16}


def predict_request(model: str, inputs: Mapping[str, np.ndarray], version: int | None = None) -> PredictRequest:
    message = PredictRequest()
    message.model_spec.name = model
    if version is not None:
        message.model_spec.version.value = version
    for name, array in inputs.items():
        tensors.encode(Tensor(_BY_NUMPY[array.dtype], array), message.inputs[name])
    return message


def asking(kind: type, model: str, version: int | None = None, **fields: object) -> Message:
    message = kind(**fields)
    message.model_spec.name = model
    if version is not None:
        message.model_spec.version.value = version
    return message


class TfsWire:
    """A connection that sends bytes as they are."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel

    def future(self, path: str, message: bytes | Message) -> grpc.Future:
        data = message if isinstance(message, bytes) else message.SerializeToString()
        return self._channel.unary_unary(path).future(data, timeout=TIMEOUT_S)

    def call(self, path: str, message: bytes | Message) -> Answer:
        return answer(self.future(path, message))

    def predict(
        self, model: str, inputs: Mapping[str, np.ndarray], version: int | None = None
    ) -> dict[str, np.ndarray]:
        got = self.call(f"{PREDICTION}Predict", predict_request(model, inputs, version))
        assert got.code is grpc.StatusCode.OK, (got.code, got.details)
        return outputs(got)

    def metadata(self, model: str, version: int | None = None, fields: tuple[str, ...] = ("signature_def",)) -> Answer:
        message = asking(messages.GetModelMetadataRequest, model, version, metadata_field=fields)
        return self.call(f"{PREDICTION}GetModelMetadata", message)

    def signature(self, model: str) -> dict[str, dict[str, tuple[str, list[int]]]]:
        """The inputs and outputs, each with its datatype and shape."""
        got = self.metadata(model)
        assert got.code is grpc.StatusCode.OK, (got.code, got.details)
        signatures = messages.SignatureDefMap()
        assert messages.GetModelMetadataResponse.FromString(got.data).metadata["signature_def"].Unpack(signatures)
        signature = signatures.signature_def["serving_default"]
        return {
            kind: {name: _info(info) for name, info in getattr(signature, kind).items()}
            for kind in ("inputs", "outputs")
        }

    def status(self, model: str, version: int | None = None) -> Answer:
        return self.call(f"{MODEL}GetModelStatus", asking(messages.GetModelStatusRequest, model, version))

    def states(self, model: str, version: int | None = None) -> list[tuple[int, int, int, str]]:
        """Of each version: number, state, error code and message."""
        got = self.status(model, version)
        assert got.code is grpc.StatusCode.OK, (got.code, got.details)
        rows = messages.GetModelStatusResponse.FromString(got.data).model_version_status
        return [(row.version, row.state, row.status.error_code, row.status.error_message) for row in rows]


def outputs(got: Answer) -> dict[str, np.ndarray]:
    message = messages.PredictResponse.FromString(got.data)
    return {name: tensors.decode(tensor, name).data for name, tensor in message.outputs.items()}


def _info(info: Message) -> tuple[str, list[int]]:
    return messages.DATA_TYPE.values_by_number[info.dtype].name, [dim.size for dim in info.tensor_shape.dim]
