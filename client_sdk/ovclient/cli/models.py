"""`ovclient models`: what is in the server's repository, and having it loaded and unloaded."""

import sys
from contextlib import closing
from dataclasses import asdict
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from ovclient.cli import examples, models_table
from ovclient.cli.connection import DEFAULT, Connection, JsonFlag, LoadConnection
from ovclient.cli.document import print_json
from ovclient.cli.models_report import JsonReport, Report, TextReport

_DEFAULT_LOAD = LoadConnection()
_MAX_INTERVAL_S = 3600
_Repeated = Parameter(show_default=False, negative=())

models = App(
    name="models",
    help="List, load, unload and watch the models of a server's repository.",
    help_epilogue=examples.MODELS,
)


@models.command(name="list", help_epilogue=examples.MODELS_LIST)
def list_models(*, ready: bool = False, json: JsonFlag = False, server: Connection = DEFAULT) -> int:
    """Show each version of each model: its state, and why it is in it.

    Args:
        ready: Show only what can answer.
        json: Print one JSON document.
        server: Where the server is.
    """
    with server.client() as client:
        index = client.repository_index(ready=ready)
    if json:
        print_json([asdict(row) for row in index])
    elif sys.stdout.isatty():
        from ovclient.cli.models_terminal import print_table  # noqa: PLC0415 - rich is for terminals only

        print_table(index)
    else:
        print("\n".join(models_table.lines(index)))
    return 0


@models.command(help_epilogue=examples.MODELS_LOAD)
def load(
    model_name: Annotated[str, Parameter(alias="-m")],
    *,
    config: Annotated[str | None, Parameter(show_default=False)] = None,
    file: Annotated[tuple[str, ...], _Repeated] = (),
    json: JsonFlag = False,
    server: LoadConnection = _DEFAULT_LOAD,
) -> int:
    """Load a model, or load it anew, and wait until it can answer.

    The server must run in mode explicit. When --timeout is up, the server
    goes on loading; models watch shows how that ends.

    Args:
        model_name: The model to load.
        config: Its configuration in place of its own: a JSON file, or the JSON itself.
        file: Its files in place of its own, as 1/model.onnx=path/of/the/file; may be repeated.
        json: Print one JSON document.
        server: Where the server is.
    """
    from ovclient.cli.models_files import read_config, read_files  # noqa: PLC0415 - files are for this command only

    new_config, new_files = read_config(config), read_files(file)
    with server.client() as client:
        client.load_model(model_name, new_config, new_files, timeout=server.timeout)
    if json:
        print_json({"name": model_name, "loaded": True})
    else:
        print(f"Model '{model_name}' is loaded.")
    return 0


@models.command(help_epilogue=examples.MODELS_UNLOAD)
def unload(
    model_name: Annotated[str, Parameter(alias="-m")],
    *,
    unload_dependents: bool = False,
    json: JsonFlag = False,
    server: LoadConnection = _DEFAULT_LOAD,
) -> int:
    """Take a model out of service; one that is not served is fine.

    The server must run in mode explicit.

    Args:
        model_name: The model to unload.
        unload_dependents: Unload also the models that only this ensemble needed.
        json: Print one JSON document.
        server: Where the server is.
    """
    with server.client() as client:
        client.unload_model(model_name, unload_dependents=unload_dependents, timeout=server.timeout)
    if json:
        print_json({"name": model_name, "loaded": False})
    else:
        print(f"Model '{model_name}' takes no more requests.")
    return 0


@models.command(help_epilogue=examples.MODELS_WATCH)
def watch(
    *,
    interval: Annotated[float, Parameter(validator=Number(gt=0, lte=_MAX_INTERVAL_S))] = 1.0,
    json: JsonFlag = False,
    server: Connection = DEFAULT,
) -> int:
    """Show how models change, until Ctrl-C: first what is there, then a line for each change.

    What comes and goes between two looks is not seen.

    Args:
        interval: Seconds between two looks.
        json: Print one JSON document on a line for each change.
        server: Where the server is.
    """
    from ovclient.cli.models_watch import run  # noqa: PLC0415 - for this command only

    with server.client() as client, closing(_report(json=json)) as report:
        run(client, interval, report)


def _report(*, json: bool) -> Report:
    if json:
        return JsonReport()
    if sys.stdout.isatty():
        from ovclient.cli.models_terminal import TerminalReport  # noqa: PLC0415 - rich is for terminals only

        return TerminalReport()
    return TextReport()
