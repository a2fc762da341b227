"""Graphs of pipelines, as ovserve describes them."""

from typing import Any


def edge(way: str, datatype: str = "", shape: list[int] | None = None) -> dict[str, Any]:
    """An edge written as "source.output target.input"."""
    (source, output), (target, wanted) = (end.split(".", 1) for end in way.split())
    return {"from": source, "output": output, "to": target, "input": wanted, "datatype": datatype, "shape": shape}


def node(name: str, servable: str, version: int | None = 1, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "kind": "model",
        "servable": servable,
        "version": version,
        "demultiply_count": None,
        "gather_from": None,
        **more,
    }


SEED_003 = {
    "name": "resnet50DAG",
    "inputs": [{"name": "0", "datatype": "FP32", "shape": [-1, 1, 3, 224, 224]}],
    "outputs": [{"name": "1463", "datatype": "FP32", "shape": [-1, 1, 1000]}],
    "demultiply_count": -1,
    "nodes": [node("resnetNode", "resnet")],
    "edges": [
        edge("request.0 resnetNode.0", "FP32", [1, 3, 224, 224]),
        edge("resnetNode.1463 response.1463", "FP32", [-1, 1, 1000]),
    ],
}

FACES = {
    "name": "faces",
    "inputs": [{"name": "image", "datatype": "FP32", "shape": [1, 3, 300, 300]}],
    "outputs": [
        {"name": "ages", "datatype": "FP32", "shape": [-1, 1, 1, 1, 1]},
        {"name": "boxes", "datatype": "FP32", "shape": [-1, 1, 4]},
    ],
    "demultiply_count": None,
    "nodes": [
        node("detector", "face-detection"),
        node("crop", "cut_out_faces", None, kind="python", demultiply_count=-1),
        node("classifier", "age-gender", 2),
    ],
    "edges": [
        edge("request.image detector.data", "FP32", [1, 3, 300, 300]),
        edge("request.image crop.image", "FP32", [1, 3, 300, 300]),
        edge("detector.detection_out crop.detections", "FP32", [1, 1, 200, 7]),
        edge("crop.faces classifier.data", "FP32", [1, 3, 62, 62]),
        edge("classifier.age response.ages", "FP32", [-1, 1, 1, 1, 1]),
        edge("crop.boxes response.boxes", "FP32", [-1, 1, 4]),
    ],
}


def graph(name: str = "p", **parts: Any) -> dict[str, Any]:
    return {"name": name, "inputs": [], "outputs": [], "demultiply_count": None, "nodes": [], "edges": [], **parts}
