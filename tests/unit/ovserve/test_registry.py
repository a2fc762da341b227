from types import SimpleNamespace

import pytest

from ovserve.control import Control, IndexRow
from ovserve.errors import NotFound, NotReady
from ovserve.serving.registry import Registry, State, VersionStatus

MODEL = SimpleNamespace(admitted_at_once=1)
AVAILABLE = VersionStatus(State.AVAILABLE, MODEL)
LOADING = VersionStatus(State.LOADING)
FAILED = VersionStatus(State.LOADING, cause="model.xml needs model.bin beside it, which is missing")


def registry(**versions: VersionStatus) -> Registry:
    """A registry of one model `m`; v3=... is version 3."""
    made = Registry()
    for name, status in versions.items():
        made.put("m", int(name[1:]), status)
    return made


def test_the_default_version_is_the_highest_available() -> None:
    other = SimpleNamespace()
    made = registry(v1=AVAILABLE, v10=VersionStatus(State.AVAILABLE, other), v9=AVAILABLE, v11=FAILED)
    assert made.find("m") is other


def test_a_version_asked_for_is_found() -> None:
    assert registry(v1=AVAILABLE, v2=FAILED).find("m", 1) is MODEL


def test_an_unknown_model_is_not_found() -> None:
    with pytest.raises(NotFound, match="model 'nope' is not found"):
        registry(v1=AVAILABLE).find("nope")


def test_an_unknown_version_says_which_are_served() -> None:
    with pytest.raises(NotFound, match="model 'm' version 9 is not found; served: 1, 2"):
        registry(v1=AVAILABLE, v2=AVAILABLE).find("m", 9)


@pytest.mark.parametrize("version", [None, 3])
def test_a_version_still_loading_is_not_ready(version: int | None) -> None:
    with pytest.raises(NotReady, match="is still loading; try again later"):
        registry(v3=LOADING).find("m", version)


@pytest.mark.parametrize("version", [None, 3])
def test_a_failed_version_says_its_cause(version: int | None) -> None:
    with pytest.raises(NotFound, match=r"is not available: version 3: model\.xml needs model\.bin"):
        registry(v3=FAILED).find("m", version)


def test_a_model_without_versions_says_its_cause() -> None:
    made = Registry()
    made.put_cause("m", "no version found")
    with pytest.raises(NotFound, match="model 'm' is not available: no version found"):
        made.find("m")


def test_listeners_hear_of_every_change() -> None:
    made, heard = Registry(), []
    made.on_change(lambda: heard.append(len(made.entries)))
    made.put("a", 1, LOADING)
    made.put_cause("b", "gone")
    assert heard == [1, 2]


def test_the_index_speaks_tritons_words_in_order() -> None:
    made = registry(v2=AVAILABLE, v1=FAILED, v3=LOADING)
    made.put_cause("a", "no version found")
    assert Control(made, None, None, is_open=True).index() == [
        IndexRow("a", None, "UNAVAILABLE", "no version found"),
        IndexRow("m", 1, "UNAVAILABLE", FAILED.cause or ""),
        IndexRow("m", 2, "READY", ""),
        IndexRow("m", 3, "LOADING", ""),
    ]


def test_the_index_of_what_is_ready_leaves_out_the_rest() -> None:
    assert Control(registry(v2=AVAILABLE, v1=FAILED), None, None, is_open=True).index(ready_only=True) == [
        IndexRow("m", 2, "READY", "")
    ]


# Strict readiness, as Triton: every version is ready, or was unloaded

ENDED = VersionStatus(State.END, cause="unloaded")


@pytest.mark.parametrize(
    ("versions", "whole"),
    [
        ({"v1": AVAILABLE}, True),
        ({"v1": ENDED, "v2": AVAILABLE}, True),
        ({"v1": VersionStatus(State.UNLOADING, MODEL), "v2": AVAILABLE}, True),
        ({"v1": AVAILABLE, "v2": LOADING}, False),
        ({"v1": AVAILABLE, "v2": FAILED}, False),
        ({"v1": FAILED}, False),
        ({"v1": ENDED}, True),
    ],
    ids=lambda value: "",
)
def test_a_model_is_whole_while_all_that_should_be_served_of_it_is(
    versions: dict[str, VersionStatus], whole: bool
) -> None:
    assert registry(**versions).entries["m"].is_whole is whole


def test_a_model_of_which_nothing_is_found_is_not_whole() -> None:
    made = Registry()
    made.put_cause("m", "no version found")
    assert not made.entries["m"].is_whole


def test_a_model_whose_versions_have_all_gone_is_not_whole() -> None:
    made = registry(v1=ENDED)
    made.put_cause("m", "no version found")
    assert not made.entries["m"].is_whole


def test_a_model_that_was_taken_away_is_missed_by_nobody() -> None:
    made = registry(v1=ENDED)
    made.put_removed("m")
    assert made.entries["m"].is_whole
