from collections.abc import Sequence

from ovclient._types import ModelIndex
from ovclient.cli.connection import DEFAULT, Connection, JsonFlag
from ovclient.cli.document import print_json
from ovclient.cli.failure import CommandFailed, WrongUsage

# The protocol's states, in the words of TensorFlow Serving and OVMS.
_STATES = {"READY": "AVAILABLE", "LOADING": "LOADING", "UNLOADING": "UNLOADING", "UNAVAILABLE": "END", "": "UNKNOWN"}
_UNKNOWN = 2  # gRPC's code, which OVMS gives every failed version


def status(
    model_name: str | None = None, model_version: str = "", *, json: JsonFlag = False, server: Connection = DEFAULT
) -> int:
    """Show the state of each version of a model, or without a name of all models.

    Args:
        model_name: The model to show.
        model_version: Its version to show; all of them if not given.
        json: Print one JSON document.
        server: Where the server is.
    """
    if model_name is None and model_version:
        raise WrongUsage("--model_version needs --model_name.")
    with server.client() as client:
        wanted = _chosen(client.repository_index(), model_name, model_version)
    if json:
        print_json([_document(model) for model in wanted])
    else:
        print("\n\n".join(_block(name, wanted) for name in dict.fromkeys(model.name for model in wanted)))
    return 0


def _chosen(index: Sequence[ModelIndex], name: str | None, version: str) -> Sequence[ModelIndex]:
    if name is None:
        return index
    found = [model for model in index if model.name == name]
    if not found:
        raise CommandFailed(f"the server knows no model '{name}'")
    chosen = [model for model in found if version in ("", model.version)]
    if not chosen:
        known = ", ".join(model.version for model in found if model.version) or "none"
        raise CommandFailed(f"model '{name}' has no version {version}; it has {known}")
    return chosen


def _block(name: str, index: Sequence[ModelIndex]) -> str:
    lines = [f"Getting model status for model: {name}"]
    for version in (_document(model) for model in index if model.name == name):
        lines += [
            "",
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
