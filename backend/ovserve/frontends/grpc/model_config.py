"""A model's configuration as Triton's clients read it."""

import json
from typing import Any

from google.protobuf import json_format
from tritonclient.grpc import model_config_pb2 as config_pb

from ovserve.config.model import ModelConfig
from ovserve.requests import Metadata
from ovserve.serving import agreement


def model_config(config: ModelConfig, metadata: Metadata) -> Any:
    """Write what config.pbtxt says, completed with what the model says; without one, max_batch_size is 0."""
    message = config_pb.ModelConfig()
    declared = config.declared
    if declared is not None:
        json_format.ParseDict(declared.document, message)
    message.name = metadata.name
    message.platform = message.platform or metadata.platform
    message.backend = message.backend or "openvino"
    if not message.HasField("version_policy"):
        message.version_policy.latest.num_versions = 1
    message.parameters["TARGET_DEVICE"].string_value = config.target_device
    layouts = {spec.name: spec.layout for spec in (*metadata.inputs, *metadata.outputs) if spec.layout}
    if layouts:
        message.parameters["LAYOUT"].string_value = json.dumps(layouts)
    inputs, outputs = ((), ()) if declared is None else (declared.inputs, declared.outputs)
    for known, specs, tensors in (
        (inputs, metadata.inputs, message.input),
        (outputs, metadata.outputs, message.output),
    ):
        for document in agreement.missing(known, specs, message.max_batch_size):
            json_format.ParseDict(document, tensors.add())
    return message
