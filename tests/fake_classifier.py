"""A fake classifier that tells pictures apart by how bright they are, so that right answers are known."""

from pathlib import Path

import numpy as np

from ovclient.testing import FakeServer

CLASSES = (404, 279, 309, 207, 366, 635, 84, 144, 113, 340)  # of the seeds' ten pictures


def brightnesses(count: int = 10) -> np.ndarray:
    return np.linspace(0, 255, count)


def pictures(shape: tuple[int, ...] = (10, 3, 4, 4), dtype: str = "float32") -> np.ndarray:
    """Pictures of one brightness each, from black to white."""
    levels = brightnesses(shape[0]).reshape(-1, *[1] * (len(shape) - 1))
    return np.broadcast_to(levels, shape).astype(dtype)


def scores(batch: np.ndarray, width: int = 1000) -> np.ndarray:
    """[n, width] scores whose best is the class of each picture's brightness."""
    nearest = np.abs(batch.reshape(len(batch), -1).mean(1)[:, None] - brightnesses()).argmin(1)
    answer = np.zeros((len(batch), width), np.float32)
    answer[np.arange(len(batch)), np.array(CLASSES)[nearest] + (width == 1001)] = 0.75
    return answer


def serve(
    server: FakeServer,
    name: str = "resnet",
    *,
    shape: tuple[int, ...] = (-1, 3, 4, 4),
    datatype: str = "FP32",
    width: int = 1000,
    tail: tuple[int, ...] = (),
) -> None:
    """Serve the classifier with an input `0` and an output `1463` of shape [n, width, *tail].

    With a 5-D `shape` it is a pipeline with a demultiplexer, whose output has a 1 after the n too.
    """
    one = (1,) if len(shape) == 5 else ()
    server.add_model(
        name,
        lambda inputs: {"1463": scores(inputs["0"], width).reshape(-1, *one, width, *tail)},
        inputs={"0": (datatype, shape)},
        outputs={"1463": ("FP32", (-1, *one, width, *tail))},
    )


def data_files(folder: Path, shape: tuple[int, ...] = (10, 3, 4, 4), dtype: str = "float32") -> list[str]:
    """Write imgs.npy and lbs.npy; the flags that name them."""
    np.save(folder / "imgs.npy", pictures(shape, dtype))
    np.save(folder / "lbs.npy", np.array(CLASSES))
    return ["--images_numpy_path", str(folder / "imgs.npy"), "--labels_numpy_path", str(folder / "lbs.npy")]
