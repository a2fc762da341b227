"""Triton's model configuration as text, or as a client's JSON -> the JSON document that Triton itself makes of it."""

import re
from typing import Any

from ovserve.config.declared import MalformedTritonConfig

FILE_NAME = "config.pbtxt"

_PLACE = re.compile(r"^(\d+):(\d+) : ")


def parse_pbtxt(text: str) -> dict[str, Any]:
    """Read the text form of `inference.ModelConfig`; raises `MalformedTritonConfig` with line and column.

    Fields go by their names in the protocol's file, as in https://github.com/triton-inference-server/common.
    """
    # Half a second to import, which a repository without such a file need not wait for.
    from google.protobuf import json_format, text_format  # noqa: PLC0415 - see above
    from tritonclient.grpc import model_config_pb2  # noqa: PLC0415 - likewise

    try:
        message = text_format.Parse(text, model_config_pb2.ModelConfig())
    except text_format.ParseError as error:
        said = str(error)
        place = _PLACE.match(said)
        where = f"line {place[1]}, column {place[2]}: " if place else ""
        raise MalformedTritonConfig(f"{where}{said[place.end() :] if place else said}") from error
    document: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return document


def parse_json(text: str) -> dict[str, Any]:
    """Read the JSON form of `inference.ModelConfig`; raises `MalformedTritonConfig`."""
    from google.protobuf import json_format  # noqa: PLC0415 - as above
    from tritonclient.grpc import model_config_pb2  # noqa: PLC0415 - likewise

    if not text.lstrip().startswith("{"):  # the parser would take an empty list
        raise MalformedTritonConfig("it must be a JSON object")
    try:
        message = json_format.Parse(text, model_config_pb2.ModelConfig())
    except (json_format.ParseError, RecursionError) as error:
        raise MalformedTritonConfig(str(error).partition("\n")[0]) from error  # what follows lists all fields
    document: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return document
