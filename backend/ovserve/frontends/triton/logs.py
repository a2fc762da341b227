"""Our log lines in Triton's log."""

import logging
from typing import Any

_LIBRARY = "ovserve"


def forward(pb: Any) -> None:
    """Hand the lines of this process to Triton's logger, from INFO on."""
    library = logging.getLogger(_LIBRARY)
    library.handlers = [_TritonHandler(pb.Logger)]
    library.setLevel(logging.INFO)
    library.propagate = False


def silence() -> None:
    """Keep warnings back in the process that only completes a configuration: the one that serves says them again."""
    logging.getLogger(_LIBRARY).setLevel(logging.ERROR)


class _TritonHandler(logging.Handler):
    def __init__(self, triton: Any) -> None:
        super().__init__()
        self._triton = triton

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record)
        if record.levelno >= logging.ERROR:
            self._triton.log_error(line)
        elif record.levelno >= logging.WARNING:
            self._triton.log_warn(line)
        else:
            self._triton.log_info(line)
