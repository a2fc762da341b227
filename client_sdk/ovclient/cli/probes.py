"""`ovclient live` and `ovclient ready`: for people, scripts and container probes."""

from ovclient.cli.connection import DEFAULT, Connection, JsonFlag
from ovclient.cli.document import print_json


def live(*, json: JsonFlag = False, server: Connection = DEFAULT) -> int:
    """Say whether the server is alive; the exit code is 0 if it is, else 1.

    Args:
        json: Print one JSON document.
        server: Where the server is.
    """
    with server.client() as client:
        return _answer("Server Live", "live", client.live(), json)


def ready(
    model_name: str | None = None, model_version: str = "", *, json: JsonFlag = False, server: Connection = DEFAULT
) -> int:
    """Say whether a model, or without a name the server, can answer; the exit code is 0 if it can, else 1.

    Args:
        model_name: The model to ask about.
        model_version: Its version; the one served by default if not given.
        json: Print one JSON document.
        server: Where the server is.
    """
    with server.client() as client:
        what = "Server Ready" if model_name is None else "Model Ready"
        return _answer(what, "ready", client.ready(model_name, model_version), json)


def _answer(sentence: str, key: str, yes: bool, json: bool) -> int:  # noqa: FBT001 - two flags of one line
    if json:
        print_json({key: yes})
    else:
        print(f"{sentence}: {yes}")
    return 0 if yes else 1
