import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ovserve.engine.strings import pack, unpack


@given(st.lists(st.binary(max_size=20), max_size=20), st.booleans())
def test_unpacking_gives_back_what_was_packed(elements: list[bytes], two_dimensional: bool) -> None:
    strings = np.empty(len(elements), np.object_)
    strings[:] = elements
    shaped = strings.reshape(1, -1) if two_dimensional else strings
    back = unpack(*pack(shaped))
    assert back.shape == shaped.shape
    assert back.ravel().tolist() == elements


def test_a_scalar_string_stays_a_scalar() -> None:
    scalar = np.array(b"abc", np.object_)
    assert unpack(*pack(scalar)).shape == ()
