"""JSON as requests bring it: parsed fast, and refused where it means nothing or two things."""

import json
import re
from typing import Any

import numpy as np
import orjson

from ovserve.errors import InvalidInput

DEEPEST = 100

_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_NOT_FINITE = re.compile(rb"NaN|Infinity")
_UP_AND_DOWN = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))


def parse(text: memoryview) -> Any:
    """Read one document, with `NaN`, `Infinity` and `-Infinity` where numbers stand, as Triton's clients write them.

    Raises `InvalidInput` for what is no JSON, is nested more than 100 deep, or names a key twice in one object.
    """
    bare = _STRING.sub(b"", text)
    _check_depth(bare)
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if not _NOT_FINITE.search(bare):
            raise InvalidInput(f"the body is not valid JSON: {error}") from None
        document = _with_numbers_that_are_none(text)
    if bare.count(b":") != _count_keys(document):
        raise InvalidInput("the body names a key twice in one JSON object")
    return document


def _check_depth(bare: bytes) -> None:
    if bare.count(b"[") + bare.count(b"{") <= DEEPEST:
        return
    steps = np.frombuffer(bare.translate(_UP_AND_DOWN, _ALL_BUT_BRACKETS), np.int8)
    if steps.cumsum(dtype=np.int64).max() > DEEPEST:
        raise InvalidInput(f"the body's JSON is nested more than {DEEPEST} deep")


def _with_numbers_that_are_none(text: memoryview) -> Any:
    """Parse with the standard library, which is slower and knows NaN."""
    try:
        return json.loads(bytes(text))
    except ValueError as error:  # which a number of thousands of digits raises too
        raise InvalidInput(f"the body is not valid JSON: {error}") from None


def _count_keys(document: Any) -> int:
    if isinstance(document, dict):
        return len(document) + sum(_count_keys(value) for value in document.values() if type(value) in {dict, list})
    if isinstance(document, list) and not {dict, list}.isdisjoint(map(type, document)):
        return sum(map(_count_keys, document))
    return 0
