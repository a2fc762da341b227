"""What should be served, and what has to be done for it."""

from pathlib import Path

from ovserve.config.model import ModelConfig
from ovserve.repository.look import SeenModel, SeenVersion
from ovserve.serving.desired import Wanted, desire
from ovserve.serving.difference import difference

M = ModelConfig(name="m", base_path=Path("/m"))


def version(number: int, size: int = 1) -> SeenVersion:
    return SeenVersion(Path(f"/m/{number}"), (("model.xml", size, 0, 0),))


def seen(*numbers: int) -> dict[str, SeenModel]:
    return {"m": SeenModel({number: version(number) for number in numbers})}


def wanted(*numbers: int) -> dict[tuple[str, int], Wanted]:
    return {("m", number): Wanted(M, version(number)) for number in numbers}


def test_the_latest_version_is_wanted() -> None:
    assert desire({"m": M}, seen(1, 3, 2), ()) == wanted(3)


def test_the_next_one_stands_in_for_one_that_failed_which_stays_wanted() -> None:
    assert desire({"m": M}, seen(1, 2, 3), {("m", 3)}) == wanted(2, 3)
    assert desire({"m": M}, seen(1, 2, 3), {("m", 3), ("m", 2)}) == wanted(1, 3)


def test_nothing_is_wanted_of_a_model_without_versions() -> None:
    assert desire({"m": M}, seen(), ()) == {}


def test_what_is_served_as_wanted_needs_nothing() -> None:
    todo = difference(wanted(1), wanted(1), ())
    assert (dict(todo.load), list(todo.retire)) == ({}, [])


def test_the_old_version_stays_until_the_new_one_serves() -> None:
    todo = difference(wanted(2), wanted(1), ())
    assert (dict(todo.load), list(todo.retire)) == (wanted(2), [])
    assert list(difference(wanted(2), wanted(1, 2), ()).retire) == [("m", 1)]


def test_a_version_that_is_gone_stays_until_the_next_one_serves_or_fails() -> None:
    desired = desire({"m": M}, seen(2), {("m", 2)})
    assert list(difference(desired, wanted(1), ()).retire) == []
    todo = difference(desired, wanted(1), {("m", 2)})
    assert (dict(todo.load), list(todo.retire)) == (wanted(2), [("m", 1)])


def test_a_model_that_is_gone_is_retired_at_once() -> None:
    assert list(difference({}, wanted(1, 2), ()).retire) == [("m", 1), ("m", 2)]


def test_changed_files_or_settings_are_loaded_anew_and_nothing_is_retired_meanwhile() -> None:
    other_files = {("m", 1): Wanted(M, version(1, size=2))}
    other_settings = {("m", 1): Wanted(M.model_copy(update={"nireq": 3}), version(1))}
    for changed in (other_files, other_settings):
        todo = difference(changed, wanted(1), ())
        assert (dict(todo.load), list(todo.retire)) == (changed, [])
