"""`ovclient pipeline`: what a server's pipelines are made of."""

import sys
from typing import Annotated

from cyclopts import App, Parameter

from ovclient.cli import examples
from ovclient.cli.connection import DEFAULT, Connection, JsonFlag
from ovclient.cli.document import print_json
from ovclient.cli.failure import WrongUsage
from ovclient.cli.pipeline_dot import dot as drawing
from ovclient.cli.pipeline_text import lines, plain
from ovclient.pipeline import Pipeline

pipeline = App(name="pipeline", help="Show a server's pipelines.", help_epilogue=examples.PIPELINE)


@pipeline.command(help_epilogue=examples.PIPELINE_SHOW)
def show(
    pipeline_name: Annotated[str, Parameter(alias="-p")],
    *,
    dot: bool = False,
    json: JsonFlag = False,
    server: Connection = DEFAULT,
) -> int:
    """Show the graph of a pipeline: its nodes, and the tensors that each gets, with their shapes.

    Shapes are what one run of a node gets: after a split by a
    demultiplexer, and after branches are gathered. -1 is any size.
    Triton's ensembles are shown too.

    Args:
        pipeline_name: The pipeline or ensemble.
        dot: Print it for Graphviz.
        json: Print one JSON document.
        server: Where the server is.
    """
    if dot and json:
        raise WrongUsage("--dot and --json exclude each other.")
    with server.client() as client:
        found = client.pipeline(pipeline_name)
    if json:
        print_json(found.document())
    elif dot:
        print(drawing(found))
    else:
        _print(found)
    return 0


def _print(found: Pipeline) -> None:
    if sys.stdout.isatty():
        from ovclient.cli.pipeline_terminal import print_pipeline  # noqa: PLC0415 - rich is for terminals only

        print_pipeline(found)
    else:
        print("\n".join(map(plain, lines(found))))
