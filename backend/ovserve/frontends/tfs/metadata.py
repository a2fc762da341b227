"""GetModelMetadata: what a model takes and gives, as a signature (tensorflow_serving/apis/get_model_metadata.proto)."""

import json
from collections.abc import Sequence
from typing import Any

from ovserve.errors import InvalidInput
from ovserve.frontends.tfs.messages import DATA_TYPE, GetModelMetadataResponse, SignatureDefMap
from ovserve.frontends.tfs.tensors import number_of
from ovserve.requests import Metadata
from ovserve.tensors import TensorSpec

FIELD = "signature_def"
SIGNATURE = "serving_default"
_TYPE = f"type.googleapis.com/{SignatureDefMap.DESCRIPTOR.full_name}"


def check_fields(fields: Sequence[str], model: str) -> None:
    """Raise `InvalidInput` unless exactly the signature is asked for, as in OVMS."""
    if list(fields) != [FIELD]:
        shown = ", ".join(fields[:8]) + (", ..." if len(fields) > len(fields[:8]) else "")
        raise InvalidInput(
            f"model '{model}': Invalid signature name - metadata_field Expected: [{FIELD}]; Actual: [{shown}]"
        )


def encode(metadata: Metadata) -> Any:
    """Write a GetModelMetadataResponse; a dimension that may vary is -1."""
    message = GetModelMetadataResponse()
    message.model_spec.name = metadata.name
    message.model_spec.version.value = metadata.version
    signatures = SignatureDefMap()
    signature = signatures.signature_def[SIGNATURE]
    for specs, infos in ((metadata.inputs, signature.inputs), (metadata.outputs, signature.outputs)):
        for spec in specs:
            info = infos[spec.name]
            info.name = spec.name
            info.dtype = number_of(spec.dtype)
            info.tensor_shape.SetInParent()
            for length in spec.wire_shape:
                info.tensor_shape.dim.add(size=length)
    message.metadata[FIELD].Pack(signatures)
    return message


def to_json(metadata: Metadata) -> str:
    """Write it as OVMS prints the message: proto-JSON with every field, 64-bit numbers as strings, indented by one."""
    signature = {"inputs": _infos(metadata.inputs), "outputs": _infos(metadata.outputs), "methodName": ""}
    document = {
        "modelSpec": {"name": metadata.name, "signatureName": "", "version": str(metadata.version)},
        "metadata": {FIELD: {"@type": _TYPE, "signatureDef": {SIGNATURE: signature}}},
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _infos(specs: Sequence[TensorSpec]) -> dict[str, Any]:
    return {
        spec.name: {
            "dtype": DATA_TYPE.values_by_number[number_of(spec.dtype)].name,
            "tensorShape": {
                "dim": [{"size": str(length), "name": ""} for length in spec.wire_shape],
                "unknownRank": False,
            },
            "name": spec.name,
        }
        for spec in specs
    }
