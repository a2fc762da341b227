"""Calls code that is not ours, which may raise anything at all."""

import signal
import threading
from collections.abc import Callable
from typing import Any

from ovserve.engine.python_backend.pb_errors import TritonModelException
from ovserve.engine.python_backend.private_imports import as_written
from ovserve.engine.reasons import reason


class Raised(Exception):
    """One sentence, fit for clients, about what foreign code raised; that itself is the `__cause__`."""


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call `function`; raises `Raised`, for SystemExit and its like too: a model must not end the server."""
    try:
        return function(*arguments)
    except BaseException as error:
        if _is_ctrl_c(error):
            raise
        raise Raised(said(error)) from error


def said(error: BaseException) -> str:
    """Say the type and the message; a `TritonModelException` is what it says."""
    kind = type(error).__name__
    try:
        text = as_written(reason(error))
    except Exception:  # noqa: BLE001 - its own __str__ fails
        return kind
    return text if isinstance(error, TritonModelException) or text == kind else f"{kind}: {text}"


def _is_ctrl_c(error: BaseException) -> bool:
    """Tell whether it may be the user's: Python raises that in the main thread, and only with its own handler."""
    return (
        isinstance(error, KeyboardInterrupt)
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
