# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2", "openvino==2026.4.1", "scikit-learn==1.9.1", "torch==2.13.0"]
# ///
"""Train the residual network of digits, write it as OpenVINO IR and pack the sample pictures.

Needs torch and scikit-learn, which the product itself does not: run it in an environment of its own, with the CPU build
of torch. It takes some minutes on one core. `--folds 5` judges the recipe on the training pictures alone.
"""

import argparse
import hashlib
import os
from pathlib import Path

import numpy as np
import openvino as ov
import torch
from digits import LABELS, SAMPLES, pictures, split
from torch import nn
from torch.nn.functional import affine_grid, cross_entropy, grid_sample

HERE = Path(__file__).resolve().parent
PACKAGED = HERE.parents[1] / "client_sdk" / "ovclient" / "samples"
TRAINING_SEED = 7
EPOCHS = 60
BATCH = 64
PEAK_RATE = 0.01
# The same instructions on every x86-64, so that the same numbers come out.
SAME_EVERYWHERE = {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE"}


class Block(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        self.straight = nn.Sequential(
            nn.Conv2d(inner, outer, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outer),
            nn.ReLU(),
            nn.Conv2d(outer, outer, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outer),
        )
        same = inner == outer and stride == 1
        self.around = (
            nn.Identity()
            if same
            else nn.Sequential(nn.Conv2d(inner, outer, 1, stride, bias=False), nn.BatchNorm2d(outer))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.straight(x) + self.around(x))


class Network(nn.Sequential):
    """Pictures [n, 1, 8, 8] in 0..1 to class scores before softmax."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 24, 3, 1, 1, bias=False),
            nn.BatchNorm2d(24),
            nn.ReLU(),
            Block(24, 24, 1),
            Block(24, 48, 2),
            Block(48, 48, 1),
            Block(48, 96, 2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(96, len(LABELS)),
        )


class Served(nn.Module):
    """The network as clients meet it: 0..255 in, probabilities out."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.network(x / 255), dim=1)


def make_repeatable(seed: int) -> None:
    """Leave nothing to chance, to threads or to the processor's width; to be called before torch computes anything."""
    os.environ.update(SAME_EVERYWHERE)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    torch.backends.mkldnn.enabled = False
    torch.manual_seed(seed)


def shake(x: torch.Tensor) -> torch.Tensor:
    """Turn, scale, slant and shift each picture a little, as hands do."""
    turn, slant, dx, dy = (torch.empty(len(x)).uniform_(-r, r) for r in (0.2, 0.15, 0.15, 0.15))
    grow, stretch = (torch.empty(len(x)).uniform_(0.9, 1.1) for _ in range(2))
    top = torch.stack([turn.cos() * grow, -turn.sin() + slant, dx], 1)
    bottom = torch.stack([turn.sin(), turn.cos() * stretch, dy], 1)
    return grid_sample(
        x, affine_grid(torch.stack([top, bottom], 1), list(x.shape), align_corners=False), align_corners=False
    )


def train(x: torch.Tensor, y: torch.Tensor) -> Network:
    """A network trained on pictures `x` in 0..1 of classes `y`."""
    network = Network()
    steps = EPOCHS * (len(x) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, total_steps=steps)
    network.train()
    for _ in range(EPOCHS):
        order = torch.randperm(len(x))
        for start in range(0, len(x) - BATCH + 1, BATCH):
            chosen = order[start : start + BATCH]
            loss = cross_entropy(network(shake(x[chosen])), y[chosen], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def judge(x: torch.Tensor, y: torch.Tensor, folds: int) -> None:
    """Cross-validate the recipe; the held-out pictures take no part, so it may be changed for what this says."""
    fold_of = np.arange(len(x)) % folds
    wrong = 0
    for fold in range(folds):
        network = train(x[fold_of != fold], y[fold_of != fold])
        with torch.no_grad():
            wrong += int((network(x[fold_of == fold]).argmax(1) != y[fold_of == fold]).sum())
        print(f"fold {fold + 1} of {folds}: {wrong} wrong so far", flush=True)
    print(f"{100 * (1 - wrong / len(x)):.2f} % of {len(x)} training pictures right when not trained on")


def convert(network: Network) -> ov.Model:
    """The served model, `0` [-1, 1, 8, 8] to `1463` [-1, 10]; its labels stand where OpenVINO's Model API looks."""
    model = ov.convert_model(Served(network).eval(), example_input=torch.zeros(2, 1, 8, 8), input=[-1, 1, 8, 8])
    model.input(0).set_names({"0"})
    model.output(0).set_names({"1463"})
    model.set_friendly_name("resnet-digits")
    for key, value in {"model_type": "Classification", "labels": " ".join(LABELS)}.items():
        model.set_rt_info(value, ["model_info", key])
    return model


def right(model: Path, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Which pictures the file as served classifies rightly."""
    answers = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(x)
    return answers["1463"].argmax(1) == y


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Train the network of digits and write model.xml, model.bin and samples."
    )
    parser.add_argument("--output", type=Path, default=HERE / "1", help="folder for the model")
    parser.add_argument("--samples", type=Path, default=PACKAGED, help="folder for the sample pictures")
    parser.add_argument("--folds", type=int, help="only cross-validate the recipe on the training pictures")
    options = parser.parse_args()
    make_repeatable(TRAINING_SEED)

    x, y = pictures()
    training, held_out = split(len(x))
    seen, classes = torch.from_numpy(x[training] / 255), torch.from_numpy(y[training])
    if options.folds:
        judge(seen, classes, options.folds)
        return

    for folder in (options.output, options.samples):
        folder.mkdir(parents=True, exist_ok=True)
    file = options.output / "model.xml"
    ov.save_model(convert(train(seen, classes)), file, compress_to_fp16=True)
    np.save(options.samples / "digits_images.npy", x[held_out[:SAMPLES]])
    np.save(options.samples / "digits_labels.npy", y[held_out[:SAMPLES]])

    hits = right(file, x[held_out], y[held_out])
    print(
        f"held-out pictures right: {hits.sum()} of {len(hits)}; packaged samples: {hits[:SAMPLES].sum()} of {SAMPLES}"
    )
    for path in sorted(options.output.glob("model.*")):
        print(f"{path.name}: {path.stat().st_size} bytes, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
