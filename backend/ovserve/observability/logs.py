"""Log lines on standard error, for people or for machines."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

_LEVELS = {"TRACE": logging.DEBUG} | {
    name: logging.getLevelNamesMapping()[name] for name in ("DEBUG", "INFO", "WARNING", "ERROR")
}


def configure(level: str, style: Literal["console", "json"]) -> None:
    """Write lines of at least `level`: `console` with colours where a person watches, `json` one object a line."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer() if style == "json" else _Line(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


class _Line:
    """One line for people: time, level, event, key=value."""

    def __init__(self, *, colors: bool) -> None:
        self._render = structlog.dev.ConsoleRenderer(colors=colors, pad_event_to=0, pad_level=True, sort_keys=False)

    def __call__(self, logger: Any, name: str, event: MutableMapping[str, Any]) -> str:
        return str(self._render(logger, name, event))
