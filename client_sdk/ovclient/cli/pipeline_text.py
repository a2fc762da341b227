"""A pipeline as text: its nodes in order, below each the tensors that it gets. Pure."""

from collections.abc import Sequence
from typing import Literal

from ovclient.cli.pipeline_blocks import Block, Row, blocks
from ovclient.pipeline import Pipeline

Role = Literal["name", "source", "tensor", "note", ""]
Line = tuple[tuple[Role, str], ...]
"""A line's texts, each with what it says, which a terminal may colour."""

_NODE, _TENSOR, _DETAIL = "  ", "    ", "      "
_GAP = "  "


def lines(pipeline: Pipeline, width: int | None = None) -> list[Line]:
    """Columns across the whole pipeline; where those are wider than `width` across each node's own tensors.

    A node whose own columns are too wide has each tensor on lines of its own.
    """
    told = blocks(pipeline)
    every = [row for block in told for row in block.rows]
    shared = _aligned(every, every, width) is not None
    found: list[Line] = [(("name", " ".join(pipeline.name.split())),)]
    for block in told:
        found += _head(block, width)
        aligned = _aligned(block.rows, every if shared else block.rows, width)
        found += [line for row in block.rows for line in _stacked(row)] if aligned is None else aligned
    return found


def plain(line: Line) -> str:
    return "".join(text for _, text in line)


def _head(block: Block, width: int | None) -> list[Line]:
    start: Line = (("", _NODE), ("name", block.name))
    if block.what:
        start = (*start, ("", f": {block.what}"))
    texts = [f"{', ' if number or block.what else ': '}{note}" for number, note in enumerate(block.notes)]
    whole: Line = (*start, *(("note", text) for text in texts))
    if width is None or len(plain(whole)) <= width:
        return [whole]
    return [start, *((("", _DETAIL), ("note", note)) for note in block.notes)]


def _cells(row: Row) -> Line:
    """At the request no source stands between a tensor's name and its type."""
    source: Line = (("source", f"<- {row.source}"),) if row.source else ()
    note: Line = (("note", row.note),) if row.note else ()
    return (("", row.name), *source, ("tensor", row.tensor), *note)


def _widths(rows: Sequence[Row]) -> list[int]:
    """Of the columns; at the request only the name stands in its column."""
    full = [_cells(row)[1:3] for row in rows if row.source]
    columns = zip(*([len(text) for _, text in cells] for cells in full), strict=True)
    return [max((len(row.name) for row in rows), default=0), *map(max, columns)]


def _aligned(rows: Sequence[Row], beside: Sequence[Row], width: int | None) -> list[Line] | None:
    """A line for each of `rows`, in the columns of those `beside`; None if one is too wide."""
    widths = _widths(beside)
    found = [_spaced(_cells(row), widths) for row in rows]
    return found if width is None or all(len(plain(line)) <= width for line in found) else None


def _spaced(cells: Line, widths: Sequence[int]) -> Line:
    found: list[tuple[Role, str]] = [("", _TENSOR)]
    for (role, text), width in zip(cells[:-1], widths, strict=False):
        found += [(role, text), ("", " " * (width - len(text)) + _GAP)]
    return (*found, cells[-1])


def _stacked(row: Row) -> list[Line]:
    first: Line = (("", _TENSOR), ("", row.name), ("", _GAP), ("tensor", row.tensor))
    details = [(role, text) for role, text in _cells(row)[1:] if role != "tensor"]
    return [first, *((("", _DETAIL), detail) for detail in details)]
