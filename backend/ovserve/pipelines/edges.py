"""Whether what a node gives fits what the next one takes, and what splitting and gathering make of it. Pure."""

from dataclasses import replace

from ovserve.config.layouts import Layout
from ovserve.pipelines.graph import WrongPipeline
from ovserve.tensors import Dim, TensorSpec, shape_text


def shown(spec: TensorSpec) -> str:
    return "(any)" if spec.dims is None else shape_text(spec.dims)


def split(spec: TensorSpec) -> TensorSpec:
    """Describe one shard: the first dimension is cut off."""
    dims = None if spec.dims is None else spec.dims[1:]
    layout = spec.layout
    return replace(spec, dims=dims, layout=layout[1:] if layout and "..." not in layout else None, batch_axis=None)


def gathered(spec: TensorSpec, count: Dim) -> TensorSpec:
    """Describe shards that are stacked, which is a tensor whose layout is not known."""
    return replace(spec, dims=None if spec.dims is None else (count, *spec.dims), layout=None, batch_axis=None)


def demultiplexed(spec: TensorSpec, count: Dim) -> TensorSpec:
    """Describe what has to be sent so that `spec` is one shard of it."""
    layout = None if spec.layout is None else f"N{spec.layout.replace('N', '?')}"
    return replace(gathered(spec, count), layout=layout)


def ungathered(spec: TensorSpec, count: Dim, label: str) -> TensorSpec:
    """Describe a shard of what is stacked into `spec`; raises `WrongPipeline`."""
    if spec.dims is None:
        return spec
    if not spec.dims or spec.dims[0].intersection(count) is None:
        raise WrongPipeline(f"{label} takes {shown(spec)}, but what is gathered for it has {count} as first dimension")
    return split(spec)


def check(arrives: TensorSpec, wanted: TensorSpec, label: str, source: str) -> None:
    """Raise `WrongPipeline` where no tensor could be both."""
    if arrives.dtype is not wanted.dtype and arrives.dtype is not None and wanted.dtype is not None:
        raise WrongPipeline(f"{label} expects datatype {wanted.datatype}, {source} has {arrives.datatype}")
    if arrives.dims is None or wanted.dims is None:
        return
    same_rank = len(arrives.dims) == len(wanted.dims)
    if not same_rank or None in map(Dim.intersection, arrives.dims, wanted.dims):
        raise WrongPipeline(f"{label} expects shape {shown(wanted)}, {source} has {shown(arrives)}")
    if arrives.layout and wanted.layout and _both(arrives.layout, wanted.layout, len(wanted.dims)) is None:
        raise WrongPipeline(f"{label} expects layout {wanted.layout}, {source} has {arrives.layout}")


def merged(first: TensorSpec | None, second: TensorSpec, name: str) -> TensorSpec:
    """Describe what fits both, since one input of the pipeline feeds both; raises `WrongPipeline`."""
    if first is None:
        return second
    label = f"input '{name}' feeds nodes that cannot take the same tensor"
    if first.dtype is not second.dtype:
        raise WrongPipeline(f"{label}: datatypes {first.datatype} and {second.datatype}")
    if first.dims is None or second.dims is None:
        return second if first.dims is None else first
    common = list(map(Dim.intersection, first.dims, second.dims))
    dims = tuple(dim for dim in common if dim is not None)
    if len(first.dims) != len(second.dims) or len(dims) < len(common):
        raise WrongPipeline(f"{label}: shapes {shown(first)} and {shown(second)}")
    layout = first.layout or second.layout
    if first.layout and second.layout:
        layout = _both(first.layout, second.layout, len(dims))
        if layout is None:
            raise WrongPipeline(f"{label}: layouts {first.layout} and {second.layout}")
    return replace(first, dims=dims, layout=layout)


def _both(first: str, second: str, rank: int) -> str | None:
    both = Layout(first).intersection(Layout(second), rank)
    return None if both is None else str(both)
