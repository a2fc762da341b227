"""What goes in and comes out, for the OpenAPI document."""

from http import HTTPStatus
from typing import Any

from ovserve.tensors import BY_KSERVE

Schema = dict[str, Any]


def _object(required: str, **properties: Schema) -> Schema:
    return {"type": "object", "required": required.split(), "properties": properties}


def _list_of(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


_TEXT: Schema = {"type": "string"}
_SWITCH: Schema = {"type": "boolean"}
_DATATYPE: Schema = {"type": "string", "enum": list(BY_KSERVE)}
_SIZE: Schema = {"type": "integer", "minimum": 0, "description": "Bytes behind the JSON, in place of `data`"}
_SHAPE: Schema = _list_of({"type": "integer", "minimum": 0}, maxItems=32)
_DATA: Schema = {
    "type": "array",
    "items": {},
    "description": "Values row by row, flat or nested as the shape is; strings for BYTES",
}
_ERROR = _object("error", error=_TEXT)
_TENSOR = _object(
    "name datatype shape",
    name=_TEXT,
    datatype=_TEXT,
    shape=_list_of({"type": "integer"}),
    shape_bounds={"type": "array", "description": "Lowest and highest length of each dimension, null without limit"},
)

SERVER_METADATA = _object("name version extensions", name=_TEXT, version=_TEXT, extensions=_list_of(_TEXT))
MODEL_METADATA = _object(
    "name versions platform inputs outputs",
    name=_TEXT,
    versions=_list_of(_TEXT),
    platform=_TEXT,
    inputs=_list_of(_TENSOR),
    outputs=_list_of(_TENSOR),
)
REGIONS = _list_of(
    _object(
        "name key offset byte_size", name=_TEXT, key=_TEXT, offset={"type": "integer"}, byte_size={"type": "integer"}
    )
)
INDEX = _list_of(_object("name", name=_TEXT, version=_TEXT, state=_TEXT, reason=_TEXT))

_TENSOR = _object(
    "name shape datatype",
    name=_TEXT,
    shape=_SHAPE,
    datatype=_DATATYPE,
    data=_DATA,
    parameters=_object("", binary_data_size=_SIZE),
)
_OUTPUT = _object("name", name=_TEXT, parameters=_object("", binary_data=_SWITCH))
_PARAMETERS = _object(
    "",
    binary_data_output=_SWITCH,
    timeout={"type": "integer", "minimum": 0, "description": "Microseconds until the answer is of no use"},
)
_REQUEST = _object(
    "inputs", id=_TEXT, parameters=_PARAMETERS, inputs=_list_of(_TENSOR, minItems=1), outputs=_list_of(_OUTPUT)
)

INFER_ANSWER = _object(
    "model_name model_version outputs",
    model_name=_TEXT,
    model_version=_TEXT,
    id=_TEXT,
    outputs=_list_of(_TENSOR),
)

LOG_SETTINGS = _object(
    "",
    log_error=_SWITCH,
    log_warning=_SWITCH,
    log_info=_SWITCH,
    log_verbose_level={"type": "integer", "minimum": 0, "maximum": (1 << 32) - 1},
    log_format=_TEXT,
    log_file=_TEXT,
    log_requests=_SWITCH,
)
TRACE_SETTINGS = _object(
    "",
    trace_level=_list_of(_TEXT),
    trace_rate=_TEXT,
    trace_count=_TEXT,
    log_frequency=_TEXT,
    trace_file=_TEXT,
    trace_mode=_TEXT,
)


def body(schema: Schema, example: Any, *, required: bool = True) -> dict[str, Any]:
    """Describe the body of a request."""
    return {
        "requestBody": {"required": required, "content": {"application/json": {"schema": schema, "example": example}}}
    }


INFER_BODY = body(_REQUEST, {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [0.5, 1.5]}]}) | {
    "description": "Binary data may stand behind the JSON, whose length the header Inference-Header-Content-Length "
    "then tells. Content-Encoding may be gzip or deflate."
}
REGION_BODY = body(
    _object(
        "key byte_size",
        key=_TEXT,
        offset={"type": "integer", "minimum": 0},
        byte_size={"type": "integer", "minimum": 1},
    ),
    {"key": "/pictures", "offset": 0, "byte_size": 1080000},
)
INDEX_BODY = body(_object("", ready=_SWITCH), {"ready": True}, required=False)
LOAD_BODY = body(
    _object(
        "",
        parameters={
            "type": "object",
            "properties": {"config": {"type": "string", "description": "Triton's model configuration as JSON"}},
            "description": "`file:PATH` are files of the model, in base64",
        },
    ),
    {},
    required=False,
)
LOG_BODY = body(LOG_SETTINGS, {"log_verbose_level": 1}, required=False)
TRACE_BODY = body(TRACE_SETTINGS, {"trace_level": ["TIMESTAMPS"], "trace_rate": "1"}, required=False)
UNLOAD_BODY = body(
    _object("", parameters=_object("", unload_dependents=_SWITCH)),
    {"parameters": {"unload_dependents": True}},
    required=False,
)


def answers(schema: Schema | None = None, *refusals: int) -> dict[int | str, dict[str, Any]]:
    """Describe what comes back: with 200 `schema`, or nothing, and a sentence with each of `refusals`."""
    good: dict[str, Any] = {"description": "It is so" if schema is None else "The answer"}
    if schema is not None:
        good["content"] = {"application/json": {"schema": schema}}
    described: dict[int | str, dict[str, Any]] = {200: good}
    for status in refusals:
        described[status] = {"description": HTTPStatus(status).phrase}
        if status != HTTPStatus.NO_CONTENT:
            described[status]["content"] = {"application/json": {"schema": _ERROR}}
    return described
