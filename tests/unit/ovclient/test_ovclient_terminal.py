import io

import numpy as np
from rich.console import Console

from ovclient.classification import Iteration, Prediction
from ovclient.cli.resnet_report import Header
from ovclient.cli.resnet_terminal import TerminalReport


def shown(*predictions: Prediction, iterations: int = 1) -> str:
    out = io.StringIO()
    report = TerminalReport(Console(file=out, width=110, highlight=False, force_terminal=False))
    report.start(Header("resnet", iterations, len(predictions), "packaged samples", False, (1, 3, 4, 4), (0.0, 255.0)))
    for number in range(1, iterations + 1):
        report.iteration(Iteration(number, 2.0, (1, 1000), True, predictions))
    report.end()
    report.close()
    return out.getvalue()


def test_labelled_pictures_show_matches_and_the_accuracy() -> None:
    text = shown(Prediction(0, 404, "airliner", 0.5, None, 404), Prediction(1, 309, "bee", 0.5, None, 340, "zebra"))
    assert "Model name: resnet" in text
    assert "correct" in text
    assert "should be 340 zebra" in text
    assert "Classification accuracy: 50.00" in text


def test_unlabelled_pictures_show_no_match() -> None:
    text = shown(Prediction(0, 404, "airliner", 0.5, "plane.jpg"))
    assert "plane.jpg" in text
    assert "match" not in text
    assert "accuracy" not in text


def test_names_are_shown_as_they_are() -> None:
    assert "[bold]x[/bold]" in shown(Prediction(0, 1, "[bold]x[/bold]", 0.5, "a[/].jpg"))


def test_a_long_run_shows_the_first_results_and_counts_the_rest() -> None:
    assert "... and 10 more" in shown(Prediction(0, 1, None, np.float32(0.5).item()), iterations=50)
