"""The repository's index as aligned text. Pure."""

from collections.abc import Sequence

from ovclient._types import ModelIndex

COLUMNS = ("name", "version", "state", "reason")


def cells(row: ModelIndex) -> tuple[str, ...]:
    """A row's texts, each on one line; `-` where there is no version or the model was never loaded."""
    texts = row.name, row.version or "-", row.state or "-", row.reason
    return tuple(" ".join(text.split()) for text in texts)


def lines(index: Sequence[ModelIndex]) -> list[str]:
    rows = [COLUMNS, *map(cells, index)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
