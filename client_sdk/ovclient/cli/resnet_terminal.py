from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ovclient.classification import Iteration, Prediction, accuracy
from ovclient.cli.resnet_report import Header, header_lines, score_text
from ovclient.stats import Statistics, speed_fps

_MAX_ROWS = 40


class TerminalReport:
    """A progress bar while the run lasts, then tables of results and speeds."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._times_ms: list[float] = []
        self._predictions: list[tuple[int, Prediction]] = []
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        self._progress = Progress(*columns, console=self._console, transient=True)

    def start(self, header: Header) -> None:
        self._batch = header.batch
        self._console.print("\n".join(header_lines(header)).expandtabs(4), markup=False)
        self._task = self._progress.add_task("Classifying", total=header.iterations)
        self._progress.start()

    def iteration(self, iteration: Iteration) -> None:
        self._times_ms.append(iteration.time_ms)
        self._predictions.extend((iteration.number, prediction) for prediction in iteration.predictions)
        self._progress.advance(self._task)

    def end(self) -> None:
        self._progress.stop()
        self._console.print(self._results())
        if len(self._predictions) > _MAX_ROWS:
            self._console.print(f"... and {len(self._predictions) - _MAX_ROWS} more")
        self._console.print(self._speeds())
        right = accuracy([prediction for _, prediction in self._predictions])
        if right is not None:
            self._console.print(f"Classification accuracy: {right:.2f}", style="bold")

    def close(self) -> None:
        self._progress.stop()

    def _results(self) -> Table:
        labelled = any(prediction.expected is not None for _, prediction in self._predictions)
        table = Table("iteration", "picture", "class", "name", "score", *(["match"] if labelled else []))
        for iteration, prediction in self._predictions[:_MAX_ROWS]:
            score = "" if prediction.score is None else score_text(prediction.score)
            picture = prediction.picture or str(prediction.position)
            texts = [str(iteration), picture, str(prediction.number), prediction.name or "", score]
            cells = [Text(text) for text in texts]  # names may hold what rich takes for markup
            table.add_row(*cells, *([_match(prediction)] if labelled else []))
        return table

    def _speeds(self) -> Table:
        statistics = Statistics.of(self._times_ms, self._batch)
        table = Table("", "ms", "fps")
        for name, time_ms in (
            ("average", statistics.average_ms),
            ("median", statistics.median_ms),
            ("slowest", statistics.max_ms),
            ("fastest", statistics.min_ms),
            ("percentile 90", statistics.percentile_90_ms),
        ):
            table.add_row(name, f"{time_ms:.2f}", f"{speed_fps(time_ms, self._batch):.2f}")
        return table


def _match(prediction: Prediction) -> Text:
    if prediction.correct:
        return Text("correct", style="green")
    return Text(f"should be {prediction.expected} {prediction.expected_name or ''}".rstrip(), style="red")
