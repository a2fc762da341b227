"""Errors -> what a frame's head says of them, and back. Pure."""

from collections.abc import Mapping, Sequence

from ovserve import errors
from ovserve.errors import OVServeError

# Those that are made of a sentence alone; the others go as the nearest of these that they are.
_ERRORS: Mapping[str, type[OVServeError]] = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, OVServeError) and kind.__init__ is OVServeError.__init__
}


def write_error(error: OVServeError) -> tuple[str, str]:
    name = next((kind.__name__ for kind in type(error).__mro__ if kind.__name__ in _ERRORS), "OVServeError")
    return name, str(error)


def read_error(written: Sequence[str]) -> OVServeError:
    name, sentence = written
    return _ERRORS.get(name, OVServeError)(sentence)
