"""What `ovclient models load` sends in place of the repository's own: --config and --file."""

import json
from pathlib import Path

from ovclient.cli.failure import CommandFailed, WrongUsage


def read_config(text: str | None) -> str | None:
    """The JSON that `text` is, where it begins with `{`, or that the file of this name holds."""
    if text is None:
        return None
    if text.lstrip().startswith("{"):
        cause = _no_object(text)
        if cause is not None:
            raise WrongUsage(f"--config: {cause}.")
        return text
    content = _decoded(text, _read("--config", text))
    cause = _no_object(content)
    if cause is not None:
        raise CommandFailed(f"--config: {text}: {cause}")
    return content


def read_files(texts: tuple[str, ...]) -> dict[str, bytes] | None:
    """Contents by the path in the model's folder, of texts such as `1/model.onnx=downloads/resnet.onnx`."""
    sources: dict[str, str] = {}
    for text in texts:
        name, equals, path = text.partition("=")
        if not (name and equals and path):
            raise WrongUsage(f"--file must be like 1/model.onnx=PATH, got {text}.")
        if name in sources:
            raise WrongUsage(f"--file: {name} is given twice.")
        sources[name] = path
    return {name: _read("--file", path) for name, path in sources.items()} or None


def _no_object(text: str) -> str | None:
    """Why `text` is no JSON object, or None."""
    try:
        document = json.loads(text)
    except ValueError as error:
        return f"this is no JSON: {error}"
    return None if isinstance(document, dict) else "this is no JSON object"


def _decoded(path: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CommandFailed(f"--config: {path} is no text in UTF-8: {error}") from error


def _read(flag: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise CommandFailed(f"{flag}: cannot read {path}: {error.strerror or error}") from error
