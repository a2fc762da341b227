from pathlib import Path

import numpy as np
import pytest

from ovclient.labels import for_width, imagenet, read


def test_imagenets_names_are_those_of_the_seeds() -> None:
    names = [imagenet()[number] for number in (404, 279, 309, 207, 366, 635, 84, 144, 113, 340)]
    assert names == [
        "airliner",
        "Arctic fox, white fox, Alopex lagopus",
        "bee",
        "golden retriever",
        "gorilla, Gorilla gorilla",
        "magnetic compass",
        "peacock",
        "pelican",
        "snail",
        "zebra",
    ]
    assert len(imagenet()) == 1000


@pytest.mark.shared
def test_imagenets_names_are_open_model_zoos(shared: Path) -> None:
    lines = (shared / "data/imagenet_2012.txt").read_text().splitlines()
    assert list(imagenet()) == [line.split(" ", 1)[1] for line in lines]


@pytest.mark.parametrize(("width", "best", "number"), [(1000, 404, 404), (1001, 405, 404), (1001, 0, -1)])
def test_the_first_of_1001_scores_is_the_background(width: int, best: int, number: int) -> None:
    scores = np.zeros((1, width), np.float32)
    scores[0, best] = 0.5
    assert for_width(width).best(scores) == (number, 0.5)


def test_names_by_number() -> None:
    assert for_width(1001).name(-1) == "background"
    assert for_width(1000).name(-1) is None
    assert for_width(1000).name(1000) is None
    assert for_width(10).name(3) is None


def test_given_names_win(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("cat\ndög\n", encoding="utf-8")
    names = read(tmp_path / "names.txt")
    assert for_width(2, names).name(1) == "dög"
    assert for_width(3, names).best(np.array([0, 0, 1])) == (1, 1)
    assert for_width(1000, names).name(404) is None


def test_scores_of_any_shape_have_a_best() -> None:
    scores = np.zeros((1000, 1, 1), np.uint8)
    scores[340] = 200
    assert for_width(1000).best(scores) == (340, 200)
