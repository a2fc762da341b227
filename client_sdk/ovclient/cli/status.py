from ovclient._types import ModelIndex
from ovclient.cli.connection import DEFAULT, Connection, JsonFlag
from ovclient.cli.document import print_json
from ovclient.cli.failure import CommandFailed

# The protocol's states, in the words of TensorFlow Serving and OVMS.
_STATES = {"READY": "AVAILABLE", "LOADING": "LOADING", "UNLOADING": "UNLOADING", "UNAVAILABLE": "END", "": "UNKNOWN"}
_UNKNOWN = 2  # gRPC's code, which OVMS gives every failed version


def status(model_name: str | None = None, *, json: JsonFlag = False, server: Connection = DEFAULT) -> int:
    """Show the state of each version of a model, or without a name of all models.

    Args:
        model_name: The model to show.
        json: Print one JSON document.
        server: Where the server is.
    """
    with server.client() as client:
        index = client.repository_index()
    wanted = [model for model in index if model_name in (None, model.name)]
    if model_name is not None and not wanted:
        raise CommandFailed(f"the server knows no model '{model_name}'")
    if json:
        print_json([_document(model) for model in wanted])
    else:
        print("\n\n".join(_block(name, wanted) for name in dict.fromkeys(model.name for model in wanted)))
    return 0


def _block(name: str, index: list[ModelIndex]) -> str:
    lines = [f"Getting model status for model: {name}", ""]
    for version in (_document(model) for model in index if model.name == name):
        lines += [
            f"Model version: {version['version']}",
            f"State {version['state']}",
            f"Error code:  {version['error_code']}",
            f"Error message:  {version['error_message']}",
        ]
    return "\n".join(lines)


def _document(model: ModelIndex) -> dict[str, str | int]:
    failed = model.state != "READY" and model.reason not in ("", "unloaded")
    return {
        "name": model.name,
        "version": model.version,
        "state": _STATES.get(model.state, model.state),
        "error_code": _UNKNOWN if failed else 0,
        "error_message": model.reason or "OK",
    }
