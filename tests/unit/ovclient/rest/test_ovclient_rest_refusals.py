"""What both clients make of refusals over REST."""

import grpc
import numpy as np
import pytest

import ovclient
from canned_http import CannedServer, answer, raw
from ovclient import BadResponse, Client, NotFound, OVClientError, ServerFailure

X = np.zeros(2, np.float32)


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (400, "InvalidRequest", "INVALID_ARGUMENT"),
        (401, "AccessDenied", "UNAUTHENTICATED"),
        (403, "AccessDenied", "PERMISSION_DENIED"),
        (404, "NotFound", "NOT_FOUND"),
        (405, "Unsupported", "UNIMPLEMENTED"),
        (406, "Unsupported", "UNIMPLEMENTED"),
        (408, "DeadlineExceeded", "DEADLINE_EXCEEDED"),
        (409, "InvalidRequest", "ALREADY_EXISTS"),
        (412, "InvalidRequest", "FAILED_PRECONDITION"),
        (413, "MessageTooLarge", "RESOURCE_EXHAUSTED"),
        (418, "ServerFailure", "UNKNOWN"),
        (429, "Overloaded", "RESOURCE_EXHAUSTED"),
        (500, "ServerFailure", "INTERNAL"),
        (501, "Unsupported", "UNIMPLEMENTED"),
        (503, "NotReady", "UNAVAILABLE"),
        (504, "DeadlineExceeded", "DEADLINE_EXCEEDED"),
    ],
)
def test_each_status_has_its_error_and_the_code_of_grpc(
    server: CannedServer, client: Client, status: int, error: str, code: str
) -> None:
    server.answer = answer(status, b'{"error": "model \'m\' says no"}')
    with pytest.raises(OVClientError) as caught:
        client.infer("m", {"x": X})
    assert type(caught.value) is getattr(ovclient, error)
    assert (str(caught.value), caught.value.code) == ("model 'm' says no", grpc.StatusCode[code])


@pytest.mark.parametrize("body", [b"", b"<html>no</html>", b'{"error": 7}', b"[]"])
def test_a_refusal_without_words_still_says_something(server: CannedServer, client: Client, body: bytes) -> None:
    server.answer = answer(500, body)
    with pytest.raises(ServerFailure, match="answered 500 Internal Server Error without a word"):
        client.metadata("m")


def test_a_pipeline_that_found_nothing_is_a_failure_as_over_grpc(server: CannedServer, client: Client) -> None:
    server.answer = raw(b"HTTP/1.1 204 No Content\r\n\r\n")
    with pytest.raises(ServerFailure) as caught:
        client.infer("m", {"x": X})
    assert caught.value.code is grpc.StatusCode.ABORTED


def test_nobody_is_followed_elsewhere(server: CannedServer, client: Client) -> None:
    server.answer = answer(302, location=f"{server.address}/elsewhere")
    with pytest.raises(BadResponse, match="answered 302 Found, which is no answer of this protocol"):
        client.metadata("m")
    assert len(server.heard) == 1


@pytest.mark.parametrize(("status", "is_ready"), [(200, True), (400, False), (404, False), (503, False)])
def test_readiness_of_a_model_is_the_status(server: CannedServer, client: Client, status: int, is_ready: bool) -> None:
    server.answer = answer(status, b'{"error": "no"}' if status != 200 else b"")
    assert client.ready("m") is is_ready


def test_a_server_of_something_else_is_not_live(server: CannedServer, client: Client) -> None:
    server.answer = answer(404, b"<html>")
    with pytest.raises(NotFound):
        client.live()
