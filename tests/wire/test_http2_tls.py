"""HTTP/2 within TLS: what a socket in between changes, and clients that do not get through the handshake."""

import socket
import ssl
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from authority import Authority
from grpc_door import GrpcDoor
from http2_calls import CALL, GOOD, OK, assert_good, assert_well, large
from http2_peer import INITIAL_WINDOW_SIZE, LARGEST_WINDOW, Peer, data, message, read_until_closed, window_update
from ovserve.security.certificates import CertificateFiles, Certificates

WIDE = {INITIAL_WINDOW_SIZE: LARGEST_WINDOW}


@dataclass(frozen=True)
class Secured:
    address: str
    trusted: Path

    def context(self, *protocols: str) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.trusted)
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context

    def peer(self, **options: object) -> Peer:
        return Peer(self.address, WIDE, tls=self.context("h2"), **options)

    def assert_serves(self) -> None:
        with self.peer() as peer:
            assert_well(peer)

    def connect(self) -> socket.socket:
        host, _, port = self.address.rpartition(":")
        return socket.create_connection((host, int(port)), 30)


@pytest.fixture
def secured(open_door: Callable[..., GrpcDoor], tmp_path: Path) -> Secured:
    ca = Authority(tmp_path, "ca")
    files = ca.issue("server")
    return Secured(open_door(certificates=Certificates(CertificateFiles(files.cert, files.key))).address, ca.path)


def test_http2_is_agreed_on(secured: Secured) -> None:
    with secured.peer() as peer:
        assert peer.socket.selected_alpn_protocol() == "h2"
        assert peer.socket.version() == "TLSv1.3"
        assert_well(peer)


def test_every_byte_may_come_in_a_record_of_its_own(secured: Secured) -> None:
    with secured.peer() as peer:
        stream = peer.new_stream()
        for byte in peer.headers(stream, CALL) + data(stream, GOOD, ends=True):
            peer.send(bytes([byte]))
        assert_good(peer.wait_end(stream))


def test_much_goes_both_ways(secured: Secured) -> None:
    with secured.peer() as peer:
        peer.send(window_update(0, LARGEST_WINDOW - (1 << 16)))
        for _ in range(2):
            ended = peer.ask(CALL, message(large(1 << 20)))
            assert ended.status == OK
            assert len(ended.messages[0]) > 4 << 20
        assert_well(peer)


def test_answers_wait_for_a_slow_reader_and_arrive_whole(secured: Secured) -> None:
    content = message(large(300_000))
    with secured.peer(reads_slowly=True) as peer:
        peer.send(window_update(0, LARGEST_WINDOW - (1 << 16)))
        streams = [peer.open(CALL) for _ in range(4)]
        for stream in streams:
            pieces = [content[at : at + 16384] for at in range(0, len(content), 16384)]
            peer.send(*(data(stream, piece, ends=piece is pieces[-1]) for piece in pieces))
        for _ in range(5):
            secured.assert_serves()
        for stream in streams:
            assert peer.wait_end(stream).status == OK
            assert len(peer.stream(stream).messages[0]) > 1_200_000


def test_handshakes_that_stall_hold_up_nobody(secured: Secured) -> None:
    with ExitStack() as stack:
        for said in (b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00") * 30:
            stack.enter_context(secured.connect()).sendall(said)
        for _ in range(3):
            secured.assert_serves()


@pytest.mark.parametrize(
    "said", [b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", bytes(100), b"\xff" * 5000]
)
def test_what_is_no_tls_ends_the_connection(secured: Secured, said: bytes) -> None:
    with secured.connect() as connection:
        connection.sendall(said)
        read_until_closed(connection)
    secured.assert_serves()


def test_damage_to_a_record_ends_the_connection(secured: Secured) -> None:
    with secured.connect() as plain:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        machine = secured.context("h2").wrap_bio(incoming, outgoing, server_hostname="localhost")
        while True:
            try:
                machine.do_handshake()
                break
            except ssl.SSLWantReadError:
                plain.sendall(outgoing.read())
                incoming.write(plain.recv(1 << 16))
        plain.sendall(outgoing.read())
        machine.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(100))
        record = bytearray(outgoing.read())
        record[-1] ^= 1
        plain.sendall(bytes(record))
        try:
            while plain.recv(1 << 16):
                pass
        except ConnectionError:
            pass
    secured.assert_serves()


def test_clients_that_vanish_do_no_harm(secured: Secured) -> None:
    for number in range(30):
        peer = secured.peer()
        stream = peer.open(CALL)
        peer.send(data(stream, GOOD, ends=number % 2 == 0))
        if number % 3:
            peer.socket.shutdown(socket.SHUT_WR)
        peer.socket.close()
    secured.assert_serves()
