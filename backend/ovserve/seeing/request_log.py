"""A log line on every inference request, answered or refused, while it is asked for."""

import logging

from ovserve.observability.logs import NOTHING, get_logger
from ovserve.seeing.outcome import OK, Outcome

_US = 1000  # nanoseconds
_NAME = "ovserve.request"

logger = get_logger(_NAME)
_switch = logging.getLogger(_NAME)
# A level of its own: the lines are there when they are asked for, however little the rest of the log says.
_switch.setLevel(NOTHING)


def switch(*, on: bool) -> None:
    """Write the lines from now on, or no more."""
    _switch.setLevel(logging.INFO if on else NOTHING)


def is_on() -> bool:
    """Tell whether lines are written."""
    return _switch.level == logging.INFO


def write(outcome: Outcome) -> None:
    """Write the line: names, shapes, times and the code, and never a tensor's value, a key or a header."""
    fields: dict[str, object] = {
        "request_id": outcome.request_id,
        "api": outcome.door.api,
        "interface": outcome.door.interface,
        "model": outcome.model,
        "version": outcome.version,
        "inputs": outcome.shapes,
    }
    times = outcome.times
    if times is not None:
        fields |= {
            "queue_us": times.queue_ns // _US,
            "input_us": times.input_ns // _US,
            "infer_us": times.infer_ns // _US,
        }
    fields |= {"total_us": outcome.total_ns // _US, "code": outcome.code}
    if outcome.code != OK:
        fields["reason"] = outcome.reason
    logger.info("request", **fields)
