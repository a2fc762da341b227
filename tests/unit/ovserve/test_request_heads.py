"""What is remembered of heads is what reading them again would say, and is bounded."""

import pytest
from hpack import Encoder

from ovserve.http2.frames import StreamFault
from ovserve.http2.head import Head
from ovserve.http2.header_blocks import RequestHeads
from ovserve.http2.remembered_heads import RememberedHeads

FIELDS = [(":method", "POST"), (":scheme", "http"), (":path", "/a/B"), ("content-type", "application/grpc"), ("x", "y")]


class Client:
    """Encodes heads that `heads` has to read."""

    def __init__(self) -> None:
        self.encoder = Encoder()
        self.heads = RequestHeads()

    def ask(self, *more: tuple[str, str], never: bool = False) -> Head:
        return self.ask_for([*FIELDS, *more], never=never)

    def ask_for(self, fields: list[tuple[str, str]], *, never: bool = False) -> Head:
        return self.heads.read(self.encoder.encode([(*each, never) for each in fields]))


@pytest.mark.parametrize("never", [True, False], ids=["not in the table", "in the table"])
def test_heads_that_differ_in_their_timeouts_have_each_their_own(never: bool) -> None:
    client = Client()
    for milliseconds in range(95, 105):
        head = client.ask(("grpc-timeout", f"{milliseconds}m"), ("z", "1"), never=never)
        assert head.timeout_s == pytest.approx(milliseconds / 1000)
        assert head.metadata == (("x", "y"), ("z", "1"))
        assert head == RequestHeads().read(
            Encoder().encode([*FIELDS, ("grpc-timeout", f"{milliseconds}m"), ("z", "1")])
        )


def test_a_head_without_a_timeout_has_none_after_one_with() -> None:
    client = Client()
    client.ask(("grpc-timeout", "1S"))
    assert client.ask().timeout_s is None


def test_of_several_timeouts_the_last_one_counts_each_time() -> None:
    client = Client()
    for seconds in (2, 3):
        assert client.ask(("grpc-timeout", "1S"), ("grpc-timeout", f"{seconds}S")).timeout_s == seconds


def test_a_timeout_that_is_none_is_malformed_after_a_good_one() -> None:
    client = Client()
    client.ask(("grpc-timeout", "1S"))
    with pytest.raises(StreamFault):
        client.ask(("grpc-timeout", "1X"))


def test_a_timeout_ahead_of_the_pseudo_header_is_malformed_after_one_behind() -> None:
    client = Client()
    client.ask(("grpc-timeout", "1S"))
    with pytest.raises(StreamFault):
        client.ask_for([("grpc-timeout", "2S"), *FIELDS])


def test_a_malformed_head_is_malformed_each_time() -> None:
    client = Client()
    for _ in range(3):
        with pytest.raises(StreamFault):
            client.ask(("Upper", "case"), never=True)


def test_the_same_block_means_something_else_in_another_table() -> None:
    client = Client()
    newest_in_table = b"\xbe"
    block = Encoder().encode([(*each, True) for each in FIELDS]) + newest_in_table
    for value in ("1", "2"):
        client.ask(("v", value))
        for _ in range(2):
            assert client.heads.read(block).metadata == (("x", "y"), ("v", value))


def test_no_more_is_remembered_than_a_little() -> None:
    remembered: RememberedHeads[int] = RememberedHeads()
    head = Client().ask(("long", "v" * 1000))
    for number in range(1000):
        remembered.keep(number, head, 4)
    kept = sum(remembered.get(number) is not None for number in range(1000))
    assert 1 <= kept <= (1 << 15) // head.size


def test_a_large_head_is_not_remembered_and_makes_none_forgotten() -> None:
    remembered: RememberedHeads[int] = RememberedHeads()
    remembered.keep(1, Client().ask(), 4)
    remembered.keep(2, Client().ask(("long", "v" * 40_000)), 4)
    assert remembered.get(1) is not None
    assert remembered.get(2) is None
