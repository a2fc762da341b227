"""Thousands of damaged requests, many of them in flight, with good ones between them."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import grpc
import numpy as np
from google.protobuf.message import Message

from mutated_bytes import Chance, pick, with_other_bytes
from wire_server import Answer, Wire, answer, assert_answers_right

IN_FLIGHT = 32  # fewer than the models admit, so that none is refused for want of room

MessageT = TypeVar("MessageT", bound=Message)


def mutated(
    originals: Sequence[MessageT], on_fields: Sequence[Callable[[MessageT, Chance], None]], *, seed: int, count: int
) -> Iterator[bytes]:
    """Make `count` messages out of good ones, damaged in their fields or their bytes."""
    chance = np.random.default_rng(seed)
    for _ in range(count):
        original = pick(chance, originals)
        if chance.random() < 0.6:
            message = type(original)()
            message.CopyFrom(original)
            for _ in range(int(chance.integers(1, 4))):
                pick(chance, on_fields)(message, chance)
            yield message.SerializeToString()
        else:
            yield with_other_bytes(original.SerializeToString(), chance)


def fire(
    wire: Wire,
    requests: Iterator[bytes],
    send: Callable[[bytes], grpc.Future],
    check: Callable[[bytes, Answer], None],
) -> None:
    """Send `requests`, and have `check` look at each with its answer; many must be refused and some answered."""
    flying: deque[tuple[bytes, grpc.Future]] = deque()
    codes: Counter[str] = Counter()

    def land() -> None:
        data, call = flying.popleft()
        got = answer(call)
        check(data, got)
        codes[got.code.name] += 1

    for number, data in enumerate(requests):
        flying.append((data, send(data)))
        if len(flying) >= IN_FLIGHT:
            land()
        if number % 100 == 0:
            assert_answers_right(wire)
    while flying:
        land()
    assert codes["INVALID_ARGUMENT"] > codes.total() / 4
    assert codes["OK"] > codes.total() / 50, "mutations that break everything find nothing"


def assert_is_told(got: Answer, expected: set[grpc.StatusCode]) -> None:
    """A status of ours with a sentence, or OpenVINO's own where shapes do not fit each other."""
    if got.code is grpc.StatusCode.INTERNAL:
        assert "model 'dyn' version 1: [CPU] " in got.details, got.details
        assert "mismatch" in got.details, got.details
        return
    assert got.code in expected, (got.code, got.details)
    assert got.code is grpc.StatusCode.OK or got.details
