"""Log lines with fields, through the standard library's logging.

In a process of somebody else's (`ovserve.load`) they go wherever that process sends the logger `ovserve`; the server
writes them to standard error, for people or for machines.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

_LEVELS = {"TRACE": logging.DEBUG, **logging.getLevelNamesMapping()}
_LIBRARY = "ovserve"


def get_logger(name: str) -> Any:
    """Make the logger of a part of the product; its methods take a sentence and fields: `info("loaded", model="m")`."""
    return structlog.wrap_logger(
        logging.getLogger(name),
        processors=[structlog.stdlib.filter_by_level, structlog.processors.format_exc_info, _hand_over],
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def configure(level: str, style: Literal["console", "json"]) -> None:
    """Write lines of at least `level` to standard error: `console` for people, `json` one object a line."""
    renderer: Any = structlog.processors.JSONRenderer()
    if style == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0, sort_keys=False)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(renderer))
    library = logging.getLogger(_LIBRARY)
    library.handlers = [handler]
    library.setLevel(_LEVELS[level])
    library.propagate = False


def _hand_over(_logger: Any, _method: str, fields: MutableMapping[str, Any]) -> tuple[tuple[str], dict[str, Any]]:
    """Give logging a readable message, and the fields beside it for a formatter that knows them."""
    rest = " ".join(f"{key}={value}" for key, value in fields.items() if key != "event")
    return (f"{fields['event']} {rest}".strip(),), {"extra": {"fields": dict(fields)}}


class _Formatter(logging.Formatter):
    """Renders a record's fields with one of structlog's renderers."""

    def __init__(self, renderer: Any) -> None:
        super().__init__()
        self._renderer = renderer
        self._stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)

    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "fields", {"event": record.getMessage()})
        stamped = self._stamp(None, "", {"level": record.levelname.lower(), **fields})
        return str(self._renderer(None, "", stamped))
