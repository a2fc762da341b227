"""The bytes of a response, written by hand: those that the message class would write."""

import numpy as np
import pytest
from tritonclient.grpc import service_pb2 as pb

from ovserve.frontends.grpc import response_bytes
from ovserve.requests import InferResponse
from ovserve.tensors import DType, Tensor

NUMBERS = Tensor(DType.FP32, np.arange(6, dtype=np.float32).reshape(2, 3))
MANY = Tensor(DType.UINT8, np.arange(300_000, dtype=np.uint8))
COLUMNS = Tensor(DType.INT64, np.arange(30_000).reshape(100, 300).T)
TEXTS = Tensor(DType.BYTES, np.array([b"one", b""], np.object_))
SCALAR = Tensor(DType.FP64, np.array(1.5))
NOTHING = Tensor(DType.INT64, np.empty((0, 4), np.int64))

RESPONSES = {
    "none": InferResponse("m", 1, {}),
    "numbers": InferResponse("m", 1, {"y": NUMBERS}),
    "long": InferResponse("n" * 300, 2**62, {"y" * 200: MANY, "z": COLUMNS}, "id" * 100),
    "kinds": InferResponse("m\u00e4", 3, {"t": TEXTS, "s": SCALAR, "n": NOTHING}, "7"),
    "parameters": InferResponse("m", 1, {"y": NUMBERS}, parameters={"a": True, "b": 1, "c": 1.5, "d": "x"}),
}


def as_message(response: InferResponse) -> pb.ModelInferResponse:
    message = pb.ModelInferResponse(model_name=response.model, model_version=str(response.version), id=response.id)
    forms = {bool: "bool_param", int: "int64_param", float: "double_param", str: "string_param"}
    for name, value in response.parameters.items():
        setattr(message.parameters[name], forms[type(value)], value)
    for name, tensor in response.outputs.items():
        message.outputs.add(name=name, datatype=tensor.dtype.kserve, shape=tensor.shape)
        strings = (
            b"".join(len(each).to_bytes(4, "little") + each for each in tensor.data.ravel().tolist())
            if (tensor.dtype is DType.BYTES)
            else None
        )
        message.raw_output_contents.append(tensor.data.tobytes() if strings is None else strings)
    return message


@pytest.mark.parametrize("name", RESPONSES)
def test_a_response_is_what_the_message_class_writes(name: str) -> None:
    response = RESPONSES[name]
    written = b"".join(response_bytes.write(response, {}))
    assert pb.ModelInferResponse.FromString(written) == as_message(response)
    if len(response.parameters) < 2:  # a map has no order
        assert written == as_message(response).SerializeToString()


@pytest.mark.parametrize("final", [True, False])
@pytest.mark.parametrize("name", RESPONSES)
def test_in_a_stream_it_is_marked(name: str, final: bool) -> None:
    response = RESPONSES[name]
    expected = pb.ModelStreamInferResponse(infer_response=as_message(response))
    expected.infer_response.parameters["triton_final_response"].bool_param = final
    written = b"".join(response_bytes.write_in_stream(response, {}, final=final))
    assert pb.ModelStreamInferResponse.FromString(written) == expected


def test_a_large_output_is_a_part_that_was_not_copied() -> None:
    parts = response_bytes.write(InferResponse("m", 1, {"y": MANY, "z": NUMBERS}), {})
    (large,) = [part for part in parts if len(part) == MANY.data.nbytes]
    assert np.shares_memory(np.frombuffer(large, np.uint8), MANY.data)
