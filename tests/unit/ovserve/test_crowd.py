"""What the numbers of requests that run at once say about a model's streams."""

from ovserve.engine.core_budget import Share
from ovserve.engine.crowd import Crowd

SHARE = Share(64)


def crowded(crowd: Crowd, running: int, starts: int, now_s: float = 0.0) -> bool:
    """Let `starts` requests come where `running` run; tell whether the last one calls it lasting."""
    told = False
    for _ in range(starts):
        crowd.peak = max(crowd.peak, running)
        told = crowd.is_lasting(running, now_s)
    return told


def test_a_moments_crowd_changes_nothing() -> None:
    assert not crowded(Crowd(SHARE), running=20, starts=20)


def test_a_lasting_crowd_wants_a_stream_for_each_of_its_requests() -> None:
    crowd = Crowd(SHARE)
    assert crowded(crowd, running=20, starts=40)
    assert crowd.grown(4) == 32


def test_crowds_far_apart_do_not_add_up() -> None:
    crowd = Crowd(SHARE)
    assert not any(crowded(crowd, running=5, starts=20, now_s=60.0 * minute) for minute in range(10))


def test_what_ran_long_ago_does_not_count() -> None:
    crowd = Crowd(SHARE)
    crowded(crowd, running=60, starts=1)
    assert crowded(crowd, running=5, starts=40, now_s=3600)
    assert crowd.grown(4) == 8


def test_streams_go_when_many_looks_in_a_row_saw_no_need() -> None:
    crowd = Crowd(SHARE)
    assert [crowd.shrunk(32) for _ in range(5)] == [32, 32, 32, 32, 1]


def test_one_busy_moment_keeps_them_for_as_many_looks() -> None:
    crowd = Crowd(SHARE)
    crowd.shrunk(32)
    crowd.peak = 20
    assert [crowd.shrunk(32) for _ in range(6)] == [32, 32, 32, 32, 32, 1]


def test_a_look_asks_for_no_more_streams() -> None:
    crowd = Crowd(SHARE)
    crowd.peak = 60
    assert {crowd.shrunk(8) for _ in range(9)} == {8, 1}


def test_a_crowd_takes_no_streams_away() -> None:
    assert Crowd(SHARE).grown(32) == 32
