"""The core's response -> JSON, and binary data behind it where that was asked for."""

import zlib
from typing import Any

import orjson
from starlette.responses import Response

from ovserve import tensor_bytes
from ovserve.frontends.rest import json_values, shared_memory
from ovserve.frontends.rest.answers import JSON, Parts
from ovserve.frontends.rest.infer_request import Asked
from ovserve.requests import InferResponse

_WBITS = {"gzip": 31, "deflate": 15}
_FAST = 1
_WORTH_BYTES = 1024


def encode(response: InferResponse, asked: Asked, accepted: str) -> Response:
    """Write the outputs in the model's order, each in the form asked for.

    Compressed, where it is worth while and `accepted` (Accept-Encoding) names gzip or deflate.

    Raises `InvalidInput` where JSON cannot carry an output.
    """
    outputs: list[dict[str, Any]] = []
    parts: list[bytes | memoryview] = []
    places = asked.request.places
    for name, tensor in response.outputs.items():
        output: dict[str, Any] = {"name": name, "datatype": tensor.dtype.kserve, "shape": tensor.shape}
        label = f"model '{response.model}': output '{name}'"
        if name in places:
            output["parameters"] = shared_memory.write(places[name], tensor, label)
        elif asked.is_binary(name):
            parts.append(tensor_bytes.write(tensor))
            output["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            output["data"] = json_values.write(tensor, label)
        outputs.append(output)
    document: dict[str, Any] = {
        "model_name": response.model,
        "model_version": str(response.version),
        "outputs": outputs,
    }
    if response.id:
        document["id"] = response.id
    if response.parameters:
        document["parameters"] = response.parameters
    text = orjson.dumps(document)
    if not parts:
        return _answer([text], {"content-type": JSON}, accepted)
    headers = {"content-type": "application/octet-stream", "inference-header-content-length": str(len(text))}
    return _answer([text, *parts], headers, accepted)


def _answer(parts: list[bytes | memoryview], headers: dict[str, str], accepted: str) -> Response:
    encoding = _pick(accepted)
    if encoding is None or sum(map(len, parts)) < _WORTH_BYTES:
        return Parts(parts, headers)
    stream = zlib.compressobj(_FAST, wbits=_WBITS[encoding])
    compressed = [stream.compress(part) for part in parts]
    return Parts([*compressed, stream.flush()], {**headers, "content-encoding": encoding, "vary": "accept-encoding"})


def _pick(accepted: str) -> str | None:
    """Pick the first encoding named that we know and that is not ruled out by `q=0`."""
    for item in accepted.lower().split(","):
        name, _, weight = item.partition(";")
        if name.strip() in _WBITS and weight.strip().rstrip("0").rstrip(".") not in {"q=", "q"}:
            return name.strip()
    return None
