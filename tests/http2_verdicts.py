"""What a server says of a fault: the connection ends, or one stream does and the others go on (RFC 9113, 5.4)."""

from http2_calls import assert_well
from http2_peer import Peer, Stream


def assert_connection_error(peer: Peer, *codes: int) -> None:
    """The server says why, with one of these codes, and closes the connection."""
    peer.read_to_end()
    said = [code for code, _ in peer.goaways]
    assert said[-1:] != [], f"it ended without a word; {peer}"
    assert said[-1] in codes, peer


def assert_stream_error(peer: Peer, stream: int, *codes: int) -> Stream:
    """The server resets this stream with one of these codes, and nothing else."""
    ended = peer.wait_end(stream)
    peer.round_trip()
    assert ended.reset in codes, peer
    assert_well(peer)
    assert peer.goaways == []
    return ended
