"""Predict's messages <-> the core's requests and responses (tensorflow_serving/apis/predict.proto).

signature_name is accepted and has no effect, as in OVMS: a model has one signature.
"""

from typing import Any

from ovserve.errors import InvalidInput, NotFound
from ovserve.frontends.tfs import tensors
from ovserve.frontends.tfs.messages import PredictResponse
from ovserve.requests import InferRequest, InferResponse

_HIGHEST_VERSION = (1 << 63) - 1


def model_and_version(message: Any) -> tuple[str, int | None]:
    """Read a request's model_spec; no version, or 0, is the default one.

    Raises `InvalidInput`, and `NotFound` for a version by label: no version has one here.
    """
    if not message.HasField("model_spec"):
        raise InvalidInput("model_spec missing in request")
    spec = message.model_spec
    if spec.WhichOneof("version_choice") == "version_label":
        raise NotFound(f"model '{spec.name}': no version has the label '{spec.version_label}'")
    return spec.name, version(spec.version.value, spec.name)


def version(number: int, model: str) -> int | None:
    """Read a version; 0 is the default one. Raises `InvalidInput`."""
    if not 0 <= number <= _HIGHEST_VERSION:
        raise InvalidInput(
            f"model '{model}': version {number} is not valid, expected a whole number from 0 to {_HIGHEST_VERSION}"
        )
    return number or None


def decode(message: Any) -> InferRequest:
    """Read a PredictRequest.

    Raises an `InvalidInput` that names the model, the tensor, what was expected and what came, and `NotFound` for a
    version by label.
    """
    model, number = model_and_version(message)
    inputs = {
        name: tensors.decode(tensor, f"model '{model}': input '{name}'") for name, tensor in message.inputs.items()
    }
    return InferRequest(model, inputs, number, frozenset(message.output_filter) or None)


def encode(response: InferResponse) -> Any:
    """Write a PredictResponse, with the version that answered."""
    message = PredictResponse()
    message.model_spec.name = response.model
    message.model_spec.version.value = response.version
    for name, tensor in response.outputs.items():
        tensors.encode(tensor, message.outputs[name])
    return message
