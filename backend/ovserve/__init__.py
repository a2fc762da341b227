"""A model server for OpenVINO: `ovserve` on the command line, `ovserve.load` in your own process."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ovserve.inprocess import InProcess, load

__all__ = ["InProcess", "load"]


def __getattr__(name: str) -> Any:
    """Import the engine when it is wanted: `ovserve --help` need not wait for it."""
    if name not in __all__:
        raise AttributeError(f"module 'ovserve' has no attribute '{name}'")
    from ovserve import inprocess  # noqa: PLC0415 - as above

    return getattr(inprocess, name)
