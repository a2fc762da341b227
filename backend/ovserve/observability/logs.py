"""Log lines with fields, through the standard library's logging.

In a process of somebody else's (`ovserve.load`) they go wherever that process sends the logger `ovserve`; the server
writes them to standard error, and to a file if asked to, for people or for machines.
"""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any, Literal

import structlog

NOTHING = "CRITICAL"  # no line of ours is that important
_LEVELS = {"TRACE": logging.DEBUG, **logging.getLevelNamesMapping()}
_LIBRARY = "ovserve"


def get_logger(name: str) -> Any:
    """Make the logger of a part of the product; its methods take a sentence and fields: `info("loaded", model="m")`."""
    return structlog.wrap_logger(
        logging.getLogger(name),
        processors=[structlog.stdlib.filter_by_level, structlog.processors.format_exc_info, _hand_over],
        wrapper_class=structlog.stdlib.BoundLogger,
    )


Style = Literal["console", "json"]


def configure(level: str, style: Style, path: Path | None = None) -> None:
    """Write lines of at least `level` to standard error and to `path`: `console` for people, `json` one object a line.

    Raises `OSError` where `path` cannot be written.
    """
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    handlers[0].setFormatter(_formatter(style, colors=sys.stderr.isatty()))
    if path is not None:
        handlers.append(
            WatchedFileHandler(path, encoding="utf-8")
        )  # which minds a file that is moved away, as logrotate does
        handlers[1].setFormatter(_formatter(style, colors=False))
    library = logging.getLogger(_LIBRARY)
    library.handlers = handlers
    library.setLevel(_LEVELS[level])
    library.propagate = False


def adopt(name: str) -> None:
    """Have the warnings of another library among the lines that `configure` sends somewhere."""
    handlers = logging.getLogger(_LIBRARY).handlers
    if handlers:
        other = logging.getLogger(name)
        other.handlers = handlers
        other.propagate = False


def level() -> str:
    """Tell the least important level that is logged."""
    return logging.getLevelName(logging.getLogger(_LIBRARY).getEffectiveLevel())


def rank(name: str) -> int:
    """Order levels: the more important the higher."""
    return _LEVELS[name]


def set_level(name: str) -> None:
    """Log lines of at least this level from now on."""
    logging.getLogger(_LIBRARY).setLevel(_LEVELS[name])


def style() -> Style:
    """Tell how lines look."""
    formatters = [handler.formatter for handler in logging.getLogger(_LIBRARY).handlers]
    return next((formatter.style for formatter in formatters if isinstance(formatter, _Formatter)), "console")


def set_style(style: Style) -> None:
    """Have the lines of `configure` look so from now on; what others do with ours is theirs."""
    for handler in logging.getLogger(_LIBRARY).handlers:
        if isinstance(handler.formatter, _Formatter):
            is_file = isinstance(handler, logging.FileHandler)
            handler.setFormatter(_formatter(style, colors=not is_file and sys.stderr.isatty()))


def relay(name: str, level: int, fields: Mapping[str, Any]) -> None:
    """Log what another process of ours has to say, under the logger's name there."""
    logger = logging.getLogger(name)
    if (name == _LIBRARY or name.startswith(f"{_LIBRARY}.")) and logger.isEnabledFor(level):
        (message,), extra = _hand_over(None, "", {"event": "", **fields})
        logger.handle(logger.makeRecord(name, level, "", 0, message, (), None, **extra))


def _hand_over(_logger: Any, _method: str, fields: MutableMapping[str, Any]) -> tuple[tuple[str], dict[str, Any]]:
    """Give logging a readable message, and the fields beside it for a formatter that knows them."""
    rest = " ".join(f"{key}={value}" for key, value in fields.items() if key != "event")
    return (f"{fields['event']} {rest}".strip(),), {"extra": {"fields": dict(fields)}}


def _formatter(style: Style, *, colors: bool) -> "_Formatter":
    if style == "json":
        return _Formatter(structlog.processors.JSONRenderer(), style)
    return _Formatter(structlog.dev.ConsoleRenderer(colors=colors, pad_event_to=0, sort_keys=False), style)


class _Formatter(logging.Formatter):
    """Renders a record's fields with one of structlog's renderers."""

    def __init__(self, renderer: Any, style: Style) -> None:
        super().__init__()
        self.style: Style = style
        self._renderer = renderer

    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "fields", {"event": record.getMessage()})
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        stamped = {"level": record.levelname.lower(), **fields, "timestamp": moment}
        return str(self._renderer(None, "", stamped))
