"""Clients that are not gRPC's own: grpclib, and curl where it speaks HTTP/2."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from grpclib import Status
from grpclib.client import Channel, StreamStreamMethod, UnaryUnaryMethod
from grpclib.encoding.base import CodecBase
from grpclib.exceptions import GRPCError
from tritonclient.grpc import service_pb2 as pb

from authority import Authority
from grpc_door import GrpcDoor
from http2_calls import INFER, LIVE, STREAM_INFER, assert_serves, grow, large, numbers, slow
from ovserve.core import Core
from ovserve.security.certificates import CertificateFiles, Certificates


class Bytes(CodecBase):
    """Messages as they are."""

    __content_subtype__ = "proto"

    def encode(self, message: Any, message_type: Any) -> bytes:
        return message

    def decode(self, data: bytes, message_type: Any) -> bytes:
        return data


@dataclass(frozen=True)
class Where:
    address: str
    trusted: Path | None = None

    @property
    def tls(self) -> ssl.SSLContext | None:
        if self.trusted is None:
            return None
        context = ssl.create_default_context(cafile=self.trusted)
        context.set_alpn_protocols(["h2"])
        return context

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[Channel]:
        host, _, port = self.address.rpartition(":")
        channel = Channel("localhost" if self.trusted else host, int(port), ssl=self.tls, codec=Bytes())
        try:
            yield channel
        finally:
            channel.close()


@pytest.fixture(params=["plain", "tls"])
def where(
    request: pytest.FixtureRequest, open_door: Callable[..., GrpcDoor], core: Core, tmp_path: Path
) -> Iterator[Where]:
    if request.param == "plain":
        yield Where(open_door().address)
        return
    ca = Authority(tmp_path, "ca")
    files = ca.issue("server")
    door = open_door(certificates=Certificates(CertificateFiles(files.cert, files.key)))
    yield Where(door.address, ca.path)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 60))


def unary(channel: Channel, path: str) -> UnaryUnaryMethod[Any, Any]:
    return UnaryUnaryMethod(channel, path, bytes, bytes)


def test_grpclib_is_answered(where: Where) -> None:
    async def ask() -> None:
        async with where.channel() as channel:
            assert pb.ServerLiveResponse.FromString(await unary(channel, LIVE)(b"")).live
            for number in range(50):
                assert numbers(await unary(channel, INFER)(grow(number))) == [number + 1]

    run(ask())


def test_grpclib_asks_many_at_once(where: Where) -> None:
    async def ask() -> None:
        async with where.channel() as channel:
            answers = await asyncio.gather(*(unary(channel, INFER)(grow(number)) for number in range(20)))
            assert [numbers(answer) for answer in answers] == [[number + 1] for number in range(20)]

    run(ask())


def test_grpclib_sends_and_receives_much(where: Where) -> None:
    async def ask() -> None:
        async with where.channel() as channel:
            answers = await asyncio.gather(*(unary(channel, INFER)(large(1 << 19)) for _ in range(3)))
            for answer in answers:
                assert np.array(numbers(answer)).sum() == 1 << 19

    run(ask())


def test_grpclib_streams(where: Where) -> None:
    async def ask() -> None:
        async with where.channel() as channel, StreamStreamMethod(channel, STREAM_INFER, bytes, bytes).open() as stream:
            for number in range(30):
                await stream.send_message(grow(number), end=number == 29)
            answers = [pb.ModelStreamInferResponse.FromString(each) async for each in stream]
            found = [numbers(answer.infer_response.SerializeToString()) for answer in answers]
            assert sorted(found) == [[number + 1] for number in range(30)]

    run(ask())


def test_grpclib_is_told_what_was_wrong(where: Where) -> None:
    async def ask() -> None:
        async with where.channel() as channel:
            with pytest.raises(GRPCError) as refused:
                await unary(channel, INFER)(pb.ModelInferRequest(model_name="größe\n").SerializeToString())
            assert refused.value.status is Status.NOT_FOUND
            assert "größe\n" in refused.value.message
            with pytest.raises(GRPCError) as unknown:
                await unary(channel, "/nowhere/Nothing")(b"")
            assert unknown.value.status is Status.UNIMPLEMENTED

    run(ask())


def test_grpclib_has_deadlines_and_cancels(where: Where) -> None:
    async def ask() -> None:
        async with where.channel() as channel:
            with pytest.raises((asyncio.TimeoutError, GRPCError)):
                await unary(channel, INFER)(slow(2000), timeout=0.05)
            running = asyncio.ensure_future(unary(channel, INFER)(slow(2000)))
            assert numbers(await unary(channel, INFER)(grow(1))) == [2]
            running.cancel()
            assert numbers(await unary(channel, INFER)(grow(1), metadata={"x-own-bin": b"\x00\xff"})) == [2]

    run(ask())


def has_http2() -> bool:
    if shutil.which("curl") is None:
        return False
    told = subprocess.run(["curl", "--version"], capture_output=True, text=True, check=False).stdout
    return "HTTP2" in told.split()


@pytest.mark.skipif(not has_http2(), reason="there is no curl that speaks HTTP/2")
@pytest.mark.parametrize("count", [2, 1 << 18], ids=["small", "large"])
def test_curl_is_answered(where: Where, tmp_path: Path, count: int) -> None:
    content = large(count)
    (tmp_path / "request").write_bytes(b"\0" + len(content).to_bytes(4) + content)
    scheme = ["http://", "--http2-prior-knowledge"]
    if where.trusted is not None:
        scheme = ["https://", "--http2", "--cacert", str(where.trusted)]
    url = scheme[0] + "localhost:" + where.address.rpartition(":")[2] + INFER
    headers = ["-H", "content-type: application/grpc", "-H", "te: trailers", "-H", "expect:"]
    told = subprocess.run(
        [
            *("curl", "-sS", "--ipv4", "-m", "60", "-D", "-", "-o", tmp_path / "answer", *scheme[1:], *headers),
            *("--data-binary", f"@{tmp_path / 'request'}", url),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert told.startswith("HTTP/2 200")
    assert "grpc-status: 0" in told
    answer = (tmp_path / "answer").read_bytes()
    assert numbers(answer[5:]) == [1] * count


@pytest.mark.skipif(not has_http2(), reason="there is no curl that speaks HTTP/2")
def test_curl_without_a_call_is_told_so(open_door: Callable[..., GrpcDoor], tmp_path: Path) -> None:
    address = open_door().address
    (tmp_path / "large").write_bytes(b"x" * 1_000_000)
    bodies = ([], ["-d", "{}"], ["--data-binary", f"@{tmp_path / 'large'}"])
    asked = [(["-X", "GET"], "405"), *((["-X", "POST", *body], "415") for body in bodies)]
    for more, expected in asked:
        command = ["curl", "-sS", "-m", "60", "--http2-prior-knowledge", "-o", "/dev/null", "-w", "%{http_code}", *more]
        told = subprocess.run([*command, f"http://{address}/v2"], capture_output=True, text=True, check=True).stdout
        assert told == expected
    assert_serves(address)
