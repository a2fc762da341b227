"""Messages damaged in their bytes, by seeded chance."""

from collections.abc import Callable

import numpy as np

Chance = np.random.Generator


def pick(chance: Chance, options: list) -> object:
    return options[int(chance.integers(len(options)))]


def flip(data: bytearray, chance: Chance) -> None:
    for _ in range(int(chance.integers(1, 4))):
        data[int(chance.integers(len(data)))] ^= 1 << int(chance.integers(8))


def overwrite(data: bytearray, chance: Chance) -> None:
    data[int(chance.integers(len(data)))] = int(chance.integers(256))


def truncate(data: bytearray, chance: Chance) -> None:
    del data[int(chance.integers(1, len(data))) :]


def insert(data: bytearray, chance: Chance) -> None:
    at = int(chance.integers(len(data)))
    data[at:at] = chance.bytes(int(chance.integers(1, 6)))


def cut_out(data: bytearray, chance: Chance) -> None:
    at = int(chance.integers(len(data)))
    del data[at : at + int(chance.integers(1, 6))]


def repeat(data: bytearray, chance: Chance) -> None:
    start, end = sorted(chance.integers(0, len(data) + 1, 2).tolist())
    data[end:end] = data[start:end]


ON_BYTES: list[Callable[[bytearray, Chance], None]] = [flip, overwrite, truncate, insert, cut_out, repeat]


def with_other_bytes(message: bytes, chance: Chance) -> bytes:
    data = bytearray(message)
    pick(chance, ON_BYTES)(data, chance)
    return bytes(data)
