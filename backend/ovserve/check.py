"""`ovserve check`: what would be served, without a port."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ovserve.config.settings import Settings
from ovserve.control import IndexRow
from ovserve.core import Core, compose
from ovserve.errors import CannotStart
from ovserve.tensors import TensorSpec, shape_text

_READY = "READY"


def run(settings: Settings, *, as_json: bool) -> int:
    """Load everything, print it, and return the exit code: 1 where a model fails or is served otherwise than asked for.

    Raises `CannotStart` where there is no model to try.
    """
    with _quiet():
        core = compose(settings)
        try:
            core.load(may_be_empty=True)
        except CannotStart:
            if not core.control.index():
                raise
    rows = core.control.index()
    if as_json:
        print(json.dumps({"models": [_document(core, row) for row in rows], "ok": not _is_wrong(rows)}, indent=2))
    else:
        print("\n".join(line for row in rows for line in _lines(core, row)))
    return 1 if _is_wrong(rows) else 0


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the reasons out of the log: they are printed."""
    logger = logging.getLogger("ovserve")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _is_wrong(rows: list[IndexRow]) -> bool:
    return any(row.reason for row in rows)


def _lines(core: Core, row: IndexRow) -> Iterator[str]:
    label = row.name if row.version is None else f"{row.name} version {row.version}"
    if row.state != _READY:
        yield f"{label} cannot be served: {row.reason}"
        return
    model = core.registry.find(row.name, row.version)
    yield label
    specs = [("input", spec) for spec in model.metadata.inputs] + [("output", spec) for spec in model.metadata.outputs]
    width = max(len(spec.name) for _, spec in specs)
    for what, spec in specs:
        layout = f" {spec.layout}" if spec.layout else ""
        yield f"  {what:<6} {spec.name:<{width}} {spec.datatype:<6} {_shape(spec)}{layout}"
    for sentence in filter(None, (*model.warnings, model.note)):
        yield f"  warning: {sentence}"


def _document(core: Core, row: IndexRow) -> dict[str, Any]:
    document: dict[str, Any] = {"name": row.name, "version": row.version, "state": row.state, "reason": row.reason}
    if row.state == _READY:
        model = core.registry.find(row.name, row.version)
        document["inputs"] = [_tensor(spec) for spec in model.metadata.inputs]
        document["outputs"] = [_tensor(spec) for spec in model.metadata.outputs]
        document["warnings"] = list(model.warnings)
    return document


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    bounds = None if spec.dims is None else [[dim.low, dim.high] for dim in spec.dims]
    return {
        "name": spec.name,
        "datatype": spec.datatype,
        "shape": spec.wire_shape,
        "bounds": bounds,
        "layout": spec.layout,
    }


def _shape(spec: TensorSpec) -> str:
    return "any rank" if spec.dims is None else shape_text(spec.dims)
