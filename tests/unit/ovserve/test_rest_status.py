"""The one table from neutral codes to HTTP's."""

from ovserve.errors import Code, NotInRepository
from ovserve.frontends.rest.status import STATUS, status_of


def test_every_code_has_a_status() -> None:
    assert set(STATUS) == set(Code)


def test_a_load_of_what_is_not_there_is_the_clients_fault() -> None:
    assert status_of(NotInRepository("nothing")) == 400
