"""The message that asks a server to load a model, with a configuration and files of the caller's."""

import json
from collections.abc import Mapping
from typing import Any

from tritonclient.grpc import service_pb2 as pb

from ovclient._errors import InvalidRequest, MessageTooLarge

_FILE = "file:"
_MOST_BYTES = 2**31 - 1  # protobuf cannot write a longer message


def load_request(name: str, config: str | Mapping[str, Any] | None, files: Mapping[str, bytes] | None) -> Any:
    """The files' paths may stand with the protocol's prefix `file:` or without it."""
    request = pb.RepositoryModelLoadRequest(model_name=name)
    if config is not None:
        request.parameters["config"].string_param = config if isinstance(config, str) else _json(name, config)
    if files:
        for path, content in _checked(name, files).items():
            request.parameters[path].bytes_param = content
    return request


def _json(name: str, config: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(config), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidRequest(f"model '{name}': config cannot be written as JSON: {error}") from error


def _checked(name: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    for path, content in files.items():
        if not isinstance(content, bytes):
            raise InvalidRequest(f"model '{name}': file '{path}' must be bytes, got {type(content).__name__}")
        parameter = _FILE + path.removeprefix(_FILE)
        if parameter in contents:
            raise InvalidRequest(f"model '{name}': file '{path.removeprefix(_FILE)}' is given twice")
        contents[parameter] = content
    size_bytes = sum(map(len, contents.values()))
    if size_bytes > _MOST_BYTES:
        raise MessageTooLarge(f"model '{name}': files of {size_bytes} bytes; one message carries at most {_MOST_BYTES}")
    return contents
