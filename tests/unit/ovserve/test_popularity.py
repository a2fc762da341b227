from ovserve.serving.popularity import REMEMBERED, Popularity


def test_it_counts_what_is_asked_for() -> None:
    popularity = Popularity[str]()
    assert [popularity.ask(key) for key in "abaa"] == [1, 1, 2, 3]
    assert [popularity.count(key) for key in "abc"] == [3, 1, 0]


def test_what_was_not_asked_for_lately_is_forgotten() -> None:
    popularity = Popularity[int]()
    popularity.ask(-1)
    popularity.ask(-2)
    for key in range(REMEMBERED - 2):
        popularity.ask(key)
    popularity.ask(-1)
    popularity.ask(-3)
    assert [popularity.count(key) for key in (-1, -2, -3)] == [2, 0, 1]


def test_old_habits_fade() -> None:
    popularity = Popularity[str]()
    for _ in range(10_000):
        popularity.ask("old")
    calls = 0
    while popularity.count("new") <= popularity.count("old"):
        popularity.ask("new")
        calls += 1
    assert 16 <= calls <= 2 * 10 * REMEMBERED
