"""In which layout clients send and get a tensor, and in which the model has it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import openvino as ov

from ovserve.config.layouts import Layout, Layouts, LayoutSetting
from ovserve.engine.refused import Refused

_PICTURES = ("NCHW", "NHWC")
_PICTURE_RANK = 4


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The two layouts of one tensor; None where nothing is known of it."""

    client: Layout | None = None
    model: Layout | None = None

    @property
    def converts(self) -> bool:
        return self.client != self.model

    def batch_axis(self, rank: int) -> int | None:
        """The dimension that counts what is in a batch: the layout's N, else the first (decision O.21)."""
        if rank == 0:
            return None
        if self.client is None or not self.client.fits(rank):
            return 0
        expanded = self.client.expanded(rank)
        if "N" in expanded:
            return expanded.index("N")
        return 0 if expanded[0] == "?" else None


def arrange(
    tensors: Sequence[ov.Output], names: Sequence[str], setting: Layouts | None, what: str
) -> tuple[Arrangement, ...]:
    """Find each tensor's layouts from the setting and from what the model declares.

    An anonymous layout is for a model's only input. Raises `Refused`.
    """
    if isinstance(setting, Mapping):
        named = setting
    elif setting is None or what == "output":
        named = {}
    elif len(names) > 1:
        raise Refused(f"layout without names is for a model with one input; this one has {', '.join(names)}")
    else:
        named = {names[0]: setting}
    return tuple(_arrangement(tensor, name, named.get(name), what) for tensor, name in zip(tensors, names, strict=True))


def _arrangement(tensor: ov.Output, name: str, setting: LayoutSetting | None, what: str) -> Arrangement:
    own = _declared(tensor)
    if setting is None:
        return Arrangement(own, own)
    shape = tensor.partial_shape
    rank = None if shape.rank.is_dynamic else len(shape)
    for layout in filter(None, (setting.client, setting.model)):
        if rank is not None and not layout.fits(rank):
            raise Refused(f"layout {layout} does not fit {what} '{name}', which has {rank} dimensions: {shape}")
    if setting.model is not None:
        return Arrangement(setting.client, setting.model)
    if setting.client.text in _PICTURES and rank == _PICTURE_RANK:
        return Arrangement(setting.client, _picture_layout(own, what, name))
    return Arrangement(setting.client, setting.client)


def _picture_layout(own: Layout | None, what: str, name: str) -> Layout:
    """What a lone NHWC or NCHW converts from (decision O.2): the layout that the model declares, else NCHW."""
    if own is None or set("NCHW") <= set(own.text):
        return own or Layout(_PICTURES[0])
    for candidate in map(Layout, _PICTURES):
        if own.intersection(candidate, _PICTURE_RANK) is not None:
            return candidate
    raise Refused(f"{what} '{name}' has layout {own} in the model, which cannot be converted; use CLIENT:MODEL")


def _declared(tensor: ov.Output) -> Layout | None:
    """Read the layout that the model file gives a tensor; one in letters other than ours says nothing to us."""
    text = "".join(character for character in str(tensor.node.get_layout()) if character not in "[], ")
    try:
        return None if text == "..." else Layout(text)
    except ValueError:
        return None
