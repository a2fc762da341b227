"""The digits and who may see them: which pictures train the network and which only judge it."""

import numpy as np
from sklearn.datasets import load_digits

LABELS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SPLIT_SEED = 2026
HELD_OUT = 360
SAMPLES = 16
_INK = 16  # the darkest value in the data set
_WHITE = 255  # the brightest of a picture, as clients send it


def pictures() -> tuple[np.ndarray, np.ndarray]:
    """All 1797 pictures [n, 1, 8, 8], float32 in 0..255 with bright ink on black, and their classes [n]."""
    digits = load_digits()
    pixels = digits.images[:, None] * (_WHITE / _INK)  # 15.9375: exact in float32
    return pixels.astype(np.float32), digits.target.astype(np.int64)


def split(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the pictures to train on and of the held-out ones, the packaged samples first among these."""
    order = np.random.RandomState(SPLIT_SEED).permutation(count)  # whose stream, unlike default_rng's, is frozen
    return order[HELD_OUT:], order[:HELD_OUT]
