"""The text of `layout` (spec B.1) <-> layouts, and what can be said of a layout alone. Pure."""

import re
from dataclasses import dataclass
from typing import TypeAlias

from ovserve.config import per_tensor
from ovserve.config.per_tensor import PerTensor

_ANY_MORE = "..."
_FORM = re.compile(r"[NCHWD?]*(\.\.\.)?[NCHWD?]*")
_FORMS = (
    "letters of N C H W D once each, ? for others and one ... for any more, for instance NHWC or N..., "
    "or two of them as CLIENT:MODEL, for instance NHWC:NCHW"
)


@dataclass(frozen=True, slots=True)
class Layout:
    """Which dimension is what: letters, `?` for one unknown, `...` for any number of them."""

    text: str

    def __post_init__(self) -> None:
        """Raise `ValueError` for a text that is no layout."""
        letters = self.text.replace("?", "").replace(_ANY_MORE, "")
        if not self.text or not _FORM.fullmatch(self.text) or len(set(letters)) < len(letters):
            raise ValueError(f"'{self.text}' is not a layout: expected {_FORMS}")

    def __str__(self) -> str:
        return self.text

    @property
    def _known(self) -> str:
        return self.text.replace(_ANY_MORE, "")

    @property
    def batch(self) -> int | None:
        """Where N stands, if that can be told without the rank."""
        index = self.text.partition(_ANY_MORE)[0].find("N")
        return None if index < 0 else index

    def fits(self, rank: int) -> bool:
        return len(self._known) <= rank if _ANY_MORE in self.text else len(self._known) == rank

    def expanded(self, rank: int) -> str:
        """Write one character for each of `rank` dimensions."""
        return self.text.replace(_ANY_MORE, "?" * (rank - len(self._known)))

    def intersection(self, other: "Layout", rank: int) -> "Layout | None":
        """Say what both say of a tensor of `rank` dimensions; None where they contradict each other."""
        if not (self.fits(rank) and other.fits(rank)):
            return None
        pairs = list(zip(self.expanded(rank), other.expanded(rank), strict=True))
        if any("?" not in pair and pair[0] != pair[1] for pair in pairs):
            return None
        try:
            return Layout("".join(b if a == "?" else a for a, b in pairs))
        except ValueError:  # a letter in two places
            return None


@dataclass(frozen=True, slots=True)
class LayoutSetting:
    """What the client sends and what the model takes; `model` None is a lone layout (decision O.2)."""

    client: Layout
    model: Layout | None = None


Layouts: TypeAlias = PerTensor[LayoutSetting]


def parse_layouts(text: str) -> Layouts:
    """Read `--layout`: one, or an object by input and output; raises `ValueError`."""
    return per_tensor.parse(text, parse_layout)


def show_layouts(layouts: Layouts) -> str:
    return per_tensor.show(layouts, show_layout)


def parse_layout(text: str) -> LayoutSetting:
    """Read `CLIENT` or `CLIENT:MODEL`, in any case; raises `ValueError`."""
    sides = [side.strip().upper() for side in text.split(":")]
    if len(sides) > len(("client", "model")):
        raise ValueError(f"'{text}' is not a layout: expected {_FORMS}")
    return LayoutSetting(*map(Layout, sides))


def show_layout(setting: LayoutSetting) -> str:
    """Write what `parse_layout` reads."""
    return str(setting.client) if setting.model is None else f"{setting.client}:{setting.model}"
