from rich.console import Console
from rich.text import Text

from ovclient.cli.pipeline_text import lines
from ovclient.pipeline import Pipeline

_STYLES = {"name": "bold", "source": "dim", "tensor": "cyan", "note": "yellow"}


def print_pipeline(pipeline: Pipeline, console: Console | None = None) -> None:
    console = console or Console(highlight=False)
    for line in lines(pipeline, console.width):
        text = Text(overflow="fold")  # names may hold what rich takes for markup
        for role, part in line:
            text.append(part, _STYLES.get(role, ""))
        console.print(text)
