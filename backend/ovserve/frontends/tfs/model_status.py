"""GetModelStatus: the state of each version (tensorflow_serving/apis/get_model_status.proto)."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ovserve.control import Fault, Standing
from ovserve.frontends.tfs.messages import ERROR_CODE, GetModelStatusResponse

_CODE = {None: "OK", Fault.FAILED: "UNKNOWN", Fault.MEMBER_MISSING: "FAILED_PRECONDITION"}  # as OVMS


def encode(standings: Sequence[Standing]) -> Any:
    """Write a GetModelStatusResponse; error_message has the cause, where there is one."""
    message = GetModelStatusResponse()
    for standing in standings:
        row = message.model_version_status.add(version=standing.version, state=standing.state.value)
        row.status.error_code = ERROR_CODE.values_by_name[_CODE[standing.fault]].number
        row.status.error_message = standing.reason or "OK"
    return message


def to_json(standings: Sequence[Standing]) -> str:
    """Write it as OVMS prints the message: proto-JSON, indented by one."""
    rows = [
        {
            "version": str(standing.version),
            "state": standing.state.name,
            "status": {"error_code": _CODE[standing.fault], "error_message": standing.reason or "OK"},
        }
        for standing in standings
    ]
    return json.dumps({"model_version_status": rows}, indent=1, ensure_ascii=False) + "\n"


def config_json(models: Mapping[str, Sequence[Standing]]) -> str:
    """Write the states of all models as OVMS answers /v1/config, whitespace included."""
    if not models:
        return "{}"
    parts = [f"{json.dumps(name, ensure_ascii=False)} : \n{to_json(models[name])[:-1]}" for name in sorted(models)]
    return "{\n" + ",\n".join(parts) + "\n}"


def error_json(text: str) -> str:
    """Write what OVMS answers where /v1/config or its reload fails."""
    return f'{{\n\t"error": {json.dumps(text)}\n}}'
