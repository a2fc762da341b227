import grpc
import pytest

from ovserve.errors import Code, NotFound
from ovserve.frontends.grpc.status import STATUS, abort, fitting


class FakeContext:
    def __init__(self) -> None:
        self.ended: tuple[grpc.StatusCode, str] | None = None

    def abort(self, code: grpc.StatusCode, details: str) -> None:
        self.ended = (code, details)
        raise RuntimeError


def ended(error: NotFound, request_id: str) -> tuple[grpc.StatusCode, str]:
    context = FakeContext()
    with pytest.raises(RuntimeError):
        abort(context, error, request_id)
    assert context.ended is not None
    return context.ended


def test_every_code_has_a_status_of_its_own() -> None:
    assert STATUS.keys() == set(Code)
    assert len(set(STATUS.values())) == len(Code)


def test_an_error_carries_the_requests_id() -> None:
    assert ended(NotFound("model 'm' is not found"), "r7") == (
        grpc.StatusCode.NOT_FOUND,
        "[request id: r7] model 'm' is not found",
    )


def test_without_an_id_the_sentence_stands_alone() -> None:
    assert ended(NotFound("model 'm' is not found"), "")[1] == "model 'm' is not found"


def test_a_long_id_is_cut() -> None:
    assert ended(NotFound("gone"), "x" * 1000)[1] == f"[request id: {'x' * 64}] gone"


@pytest.mark.parametrize("character", ["a", "%", "é", "\N{GRINNING FACE}", "\n"])
def test_details_fit_a_header_once_percent_encoded(character: str) -> None:
    cut = fitting(character * 1_000_000)
    plain = sum(" " <= c <= "~" and c != "%" for c in cut)
    encoded = plain + sum(3 * len(c.encode()) for c in cut if not (" " <= c <= "~" and c != "%"))
    assert cut.endswith("...")
    assert encoded <= 4096 + 3


def test_what_fits_stays_as_it_is() -> None:
    assert fitting("model 'é' is not found") == "model 'é' is not found"


def test_what_utf_8_does_not_have_is_replaced() -> None:
    assert fitting("a\ud800b") == "a?b"
