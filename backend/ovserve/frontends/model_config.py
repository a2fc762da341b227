"""A model's configuration as Triton's clients read it."""

from typing import Any

from google.protobuf import json_format
from tritonclient.grpc import model_config_pb2 as config_pb

from ovserve.serving import agreement
from ovserve.serving.servable import Servable


def model_config(servable: Servable) -> Any:
    """Write what config.pbtxt says, completed with what the model says; without one, max_batch_size is 0."""
    message = config_pb.ModelConfig()
    declared, metadata = servable.config.declared, servable.metadata
    if declared is not None:
        json_format.ParseDict(declared.document, message)
    message.name = metadata.name
    message.platform = message.platform or metadata.platform
    if servable.config.pipeline is None:
        message.backend = message.backend or "openvino"
    if not message.HasField("version_policy"):
        message.version_policy.latest.num_versions = 1
    for key, text in servable.described.items():
        message.parameters[key].string_value = text
    inputs, outputs = ((), ()) if declared is None else (declared.inputs, declared.outputs)
    for known, specs, tensors in (
        (inputs, metadata.inputs, message.input),
        (outputs, metadata.outputs, message.output),
    ):
        for document in agreement.missing(known, specs, message.max_batch_size):
            json_format.ParseDict(document, tensors.add())
    return message
