"""Where a device computes 64-bit tensors in 32 bits."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import openvino as ov

_WIDE = {"i64", "u64", "f64"}


def narrowed(compiled: ov.CompiledModel, tensors: Mapping[str, str], own_nodes: AbstractSet[str]) -> tuple[str, ...]:
    """Say, in a sentence each, which 64-bit inputs and outputs the device narrows.

    Read from the graph that the device runs: a wide input that a conversion of the device's own reads, a wide output
    that such a conversion writes. `tensors` maps the node of an input or output to what the sentence calls it;
    `own_nodes` are the model's nodes, whose conversions are the model's business. A device that shows no such graph
    gets no warning.
    """
    try:
        nodes = compiled.get_runtime_model().get_ordered_ops()
    except RuntimeError:  # not every device has a runtime graph to show
        return ()
    sentences: list[str] = []
    for node in nodes:
        wide = _text(node, "outputPrecisions")
        if wide not in _WIDE or node.get_friendly_name() not in tensors:
            continue
        narrow = {kind for other in _neighbours(node) for kind in _converted(other, own_nodes)} - _WIDE
        if narrow:
            sentences.append(
                f"{tensors[node.get_friendly_name()]} is {wide}, but the device computes it as "
                f"{'/'.join(sorted(narrow))}: values beyond that are not exact"
            )
    return tuple(sentences)


def _neighbours(node: ov.Node) -> list[ov.Node]:
    readers = [target.get_node() for output in node.outputs() for target in output.get_target_inputs()]
    writers = [source.get_node() for source in node.input_values()]
    return readers + writers


def _converted(node: ov.Node, own_nodes: AbstractSet[str]) -> set[str]:
    if _text(node, "layerType") != "Convert" or node.get_friendly_name() in own_nodes:
        return set()
    return {_text(node, "runtimePrecision"), _text(node, "outputPrecisions")}


def _text(node: ov.Node, key: str) -> str:
    info = node.get_rt_info()
    return str(info[key].astype(str)) if key in info else ""
