"""Arrays over memory that others have: where that begins, and what has to stay as long as it is looked at."""

from typing import Any

import numpy as np

from ovserve.tensors import Array


def address_of(data: Array) -> int:
    """Where its numbers begin in memory."""
    address: int = data.__array_interface__["data"][0]
    return address


def view_of(data: Array, keeps: object, *, writeable: bool) -> Array:
    """View the same numbers in an array which, as every view of it, keeps an object alive."""
    return np.asarray(_Kept(data, keeps, writeable=writeable))


class _Kept:
    def __init__(self, data: Array, keeps: object, *, writeable: bool) -> None:
        interface: dict[str, Any] = dict(data.__array_interface__)
        interface["data"] = (interface["data"][0], not writeable)
        self.__array_interface__ = interface
        self._keeps = keeps
