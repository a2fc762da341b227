"""Tensors in JSON, with their contents as binary data behind it or as values in it. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any

from ovclient import _rest_json
from ovclient._errors import BadResponse

_ALIGNMENT = 8  # the widest number's: numpy reads unaligned ones slowly, and other libraries not at all


def rows(tensors: Iterable[Any], raws: Iterable[bytes]) -> list[dict[str, Any]]:
    """What tells of tensors whose contents follow, in this order, behind the JSON."""
    return [
        {
            "name": tensor.name,
            "shape": list(tensor.shape),
            "datatype": tensor.datatype,
            "parameters": {"binary_data_size": len(raw)},
        }
        for tensor, raw in zip(tensors, raws, strict=True)
    ]


def read_tensors(into: Any, found: Any, rest: memoryview, what: str) -> Iterator[memoryview]:
    """Add each tensor that JSON tells of to a message's, and yield its contents, as binary data would have them.

    `what` is what a sentence calls it. Raises `BadResponse`, and where JSON has another shape whatever Python says.
    """
    at = 0
    for row in found:
        name, datatype = row["name"], row["datatype"]
        into.add(name=name, datatype=datatype, shape=row["shape"])
        size = (row.get("parameters") or {}).get("binary_data_size")
        if size is None:
            yield memoryview(_rest_json.raw(name, datatype, row.get("data")))
            continue
        if type(size) is not int or not 0 <= size <= len(rest) - at:
            raise BadResponse(f"{what} '{name}': {size} bytes of binary data were told of, {len(rest) - at} came")
        yield _aligned(rest[at : at + size], at)
        at += size
    if at != len(rest):
        raise BadResponse(f"{len(rest) - at} bytes of binary data belong to no {what}")


def _aligned(raw: memoryview, at: int) -> memoryview:
    return raw if at % _ALIGNMENT == 0 else memoryview(bytes(raw))
