"""A model more or less in the text of a config.json; whatever else stands there stays, in its order. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from ovserve.config.json_document import parse_document

_LIST = "model_config_list"


def with_model(text: str | None, config: Mapping[str, Any]) -> str | None:
    """Add a model at the end, to no file yet where `text` is None; None where the file has one of that name.

    Raises `ValueError` for a text that is no such file.
    """
    document: dict[str, Any] = {_LIST: []} if text is None else _document(text)
    entries = document.setdefault(_LIST, [])
    if any(_name(entry) == config["name"] for entry in entries):
        return None
    entries.append({"config": dict(config)})
    return _written(document)


def without_model(text: str, name: str) -> str | None:
    """Take out every entry of that name; None where there is none. Raises `ValueError` as `with_model` does."""
    document = _document(text)
    kept = [entry for entry in document.get(_LIST, []) if _name(entry) != name]
    if len(kept) == len(document.get(_LIST, [])):
        return None
    return _written({**document, _LIST: kept})


def _document(text: str) -> dict[str, Any]:
    document = parse_document(text)
    if not isinstance(document, dict) or not isinstance(document.get(_LIST, []), list):
        raise ValueError(f"it is not a configuration file: expected an object with a list {_LIST}")  # noqa: TRY004 - as for any other wrong text
    return document


def _name(entry: Any) -> Any:
    """Name an entry; one of another form, which somebody has to mend, has none."""
    config = entry.get("config") if isinstance(entry, dict) else None
    return config.get("name") if isinstance(config, dict) else None


def _written(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=4, ensure_ascii=False) + "\n"
