"""Which tensors can be sent as encoded pictures, and what becomes of their sizes. Pure.

Source: OVMS's binary inputs (spec E.6, N.9). Ours goes further in two things: a layout NCHW is served too, and -1 as
the batch size does not forbid resizing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ovserve.config.layouts import Layout
from ovserve.engine.picture_header import Size
from ovserve.errors import WrongShape
from ovserve.tensors import ANY, Dim, DType, TensorSpec, shape_text

_DATATYPES = frozenset(
    {DType.FP64, DType.FP32, DType.FP16, DType.INT32, DType.INT16, DType.INT8, DType.UINT16, DType.UINT8}
)
_ORDERS = ("NHWC", "NCHW")
_RANK = 4
_CHANNELS = (1, 3, 4)  # of a picture file: grey, colours, colours with transparency


@dataclass(frozen=True, slots=True)
class PictureInput:
    """An input that takes pictures; `order` is where its dimensions are, None where the layout is no picture's.

    `resizes` tells whether pictures of another size are resized: where the layout says what is height and width, and
    neither may be any. `between` is the 1 that a pipeline's demultiplexer wants after the batch.
    """

    name: str
    dtype: DType
    dims: tuple[Dim, ...]
    order: str | None
    resizes: bool
    between: bool

    def dim(self, letter: str) -> Dim:
        return self.dims[(self.order or _ORDERS[0]).index(letter)]

    def check_count(self, shape: Sequence[int], label: str) -> None:
        """Raise `WrongShape` unless `shape` is [n] with as many pictures as the batch may have, in a picture's layout.

        The words are OVMS's.
        """
        if self.order is None:
            raise WrongShape(
                f"{label}: Received binary image input but resource not configured to accept NHWC layout; "
                f"input name: {self.name}"
            )
        if len(shape) != 1:
            raise WrongShape(
                f"{label}: Invalid number of shape dimensions - Expected number of input shape dimensions: 1; "
                f"Actual: {len(shape)}; input name: {self.name}"
            )
        batch = self.dim("N")
        if not batch.admits(shape[0]):
            raise WrongShape(
                f"{label}: Invalid input batch size - Expected: {batch}; Actual: {shape[0]}; input name: {self.name}"
            )

    def fit(self, sizes: Sequence[Size], label: str) -> Size:
        """Say to which size pictures of these sizes are brought; raises `WrongShape` where they may not be.

        A height or width that may be any is the first picture's, one in a range is the nearest to the first's.
        """
        first = sizes[0]
        target = Size(_nearest(self.dim("H"), first.height), _nearest(self.dim("W"), first.width))
        if not target.pixels:
            raise WrongShape(self._wrong_size(label, first))
        if self.resizes:
            return target
        for place, size in enumerate(sizes):
            if size == target:
                continue
            if place and ANY in (self.dim("H"), self.dim("W")):
                raise WrongShape(
                    f"{label}: Binary input images for this endpoint are required to have the same resolution - "
                    f"Expected: {target} as the first; Actual: {size} of image {place}; input name: {self.name}"
                )
            raise WrongShape(self._wrong_size(label, size))
        return target

    def _wrong_size(self, label: str, size: Size) -> str:
        sentence = (
            f"{label}: Invalid input shape - Expected: {shape_text(self.dims)}; Actual: image of {size} (height x "
            f"width); input name: {self.name}"
        )
        if self.resizes or ANY in (self.dim("H"), self.dim("W")):
            return sentence
        known = "NCHW" if self.order == "NCHW" else "NHWC:NHWC"
        return f"{sentence}; started with --layout {known} the server would resize images"


def plan(spec: TensorSpec, *, demultiplexed: bool = False) -> PictureInput | None:
    """Say how `spec` takes pictures, None where it takes none; `demultiplexed` allows for a 1 after the batch."""
    if spec.dtype is None or spec.dtype not in _DATATYPES or spec.dims is None:
        return None
    dims, between = spec.dims, demultiplexed and len(spec.dims) == _RANK + 1
    letters = Layout(spec.layout or "...").expanded(len(dims))
    if between:
        if not dims[1].admits(1):
            return None
        dims, letters = (dims[0], *dims[2:]), letters[0] + letters[2:]
    if len(dims) != _RANK:
        return None
    orders = [order for order in _ORDERS if all(map(_may_be, letters, order))]
    order = _order_of(dims) if len(orders) > 1 else next(iter(orders), None)
    any_size = order is None or ANY in (dims[order.index("H")], dims[order.index("W")])
    return PictureInput(spec.name, spec.dtype, dims, order, len(orders) == 1 and not any_size, between)


def _may_be(letter: str, wanted: str) -> bool:
    return letter in ("?", wanted)


def _order_of(dims: Sequence[Dim]) -> str:
    """Tell the order from the lengths, where no layout does: NHWC as in OVMS, unless only NCHW makes sense."""
    first, last = dims[1], dims[3]
    return "NCHW" if _is_channels(first) and not _is_channels(last) else "NHWC"


def _is_channels(dim: Dim) -> bool:
    return dim.is_static and dim.low in _CHANNELS


def _nearest(dim: Dim, length: int) -> int:
    return max(dim.low, length if dim.high is None else min(length, dim.high))
