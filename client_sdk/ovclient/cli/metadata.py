from dataclasses import asdict

from ovclient._datatypes import DATATYPES
from ovclient._types import ModelMetadata, TensorMetadata
from ovclient.cli.connection import DEFAULT, Connection, JsonFlag
from ovclient.cli.document import print_json


def metadata(model_name: str, model_version: str = "", *, json: JsonFlag = False, server: Connection = DEFAULT) -> int:
    """Show a model's inputs and outputs: names, shapes and datatypes (as TensorFlow calls them).

    Args:
        model_name: The model or pipeline.
        model_version: Its version; the one served by default if not given.
        json: Print one JSON document, with KServe's names of datatypes.
        server: Where the server is.
    """
    with server.client() as client:
        model = client.metadata(model_name, model_version)
    if json:
        print_json(asdict(model))
    else:
        print("\n".join(_lines(model_name, model)))
    return 0


def _lines(name: str, model: ModelMetadata) -> list[str]:
    return [
        f"Getting model metadata for model: {name}",
        "Inputs metadata:",
        *(f"\tInput name: {_tensor(tensor)}" for tensor in model.inputs),
        "Outputs metadata:",
        *(f"\tOutput name: {_tensor(tensor)}" for tensor in model.outputs),
    ]


def _tensor(tensor: TensorMetadata) -> str:
    datatype = DATATYPES.get(tensor.datatype)
    dtype = datatype.tensorflow if datatype else tensor.datatype
    return f"{tensor.name}; shape: {list(tensor.shape)}; dtype: {dtype}"
