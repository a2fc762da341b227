"""Python models, written on the spot, and tensors for them."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import numpy as np

from ovserve.config.declared import TritonConfig
from ovserve.engine.python_backend.instance import Answer, Asked, Instance
from ovserve.engine.python_backend.isolated.load_isolated import load_isolated
from ovserve.engine.python_backend.isolated.process_instance import ProcessInstance
from ovserve.engine.python_backend.load_python import load_python
from ovserve.engine.python_backend.python_model import PythonModel
from ovserve.errors import OVServeError
from ovserve.tensors import BY_KSERVE, Tensor

DOUBLE = 'return [pb_utils.InferenceResponse([pb_utils.Tensor("y", requests[0].inputs()[0].as_numpy() * 2)])]'
ARRAY = 'pb_utils.get_input_tensor_by_name(requests[0], "x").as_numpy()'


def source(execute: str = DOUBLE, *, top: str = "", methods: str = "", kind: str = "FP32", dims: str = "[-1]") -> str:
    """A model `x` -> `y` of one kind and one shape; `execute`, `top` and `methods` are code of its parts."""
    declared = f'{{"name": name, "data_type": "TYPE_{kind}", "dims": {dims}}}'
    return (
        "import numpy as np\nimport triton_python_backend_utils as pb_utils\n"
        + dedent(top)
        + dedent(
            f"""
            class TritonPythonModel:
                @staticmethod
                def auto_complete_config(config):
                    name = "x"
                    config.add_input({declared})
                    name = "y"
                    config.add_output({declared})
                    return config
            """
        )
        + indent("\n" + dedent(methods), "    ")
        + indent("\ndef execute(self, requests):\n" + indent(dedent(execute), "    "), "    ")
        + "\n"
    )


def load(folder: Path, text: str, *, name: str = "m", version: int = 1, **document: Any) -> PythonModel:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "model.py"
    file.write_text(text)
    return load_python(file, TritonConfig(name, document={"name": name, **document}), name=name, version=version)


def load_apart(folder: Path, text: str, *, name: str = "m", version: int = 1, **document: Any) -> ProcessInstance:
    """Load it in a process of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "model.py"
    file.write_text(text)
    config = TritonConfig(name, document={"name": name, **document})
    return load_isolated(file, config, name=name, version=version)[0]


def tensor(values: Any, kind: str = "FP32") -> Tensor:
    dtype = BY_KSERVE[kind]
    return Tensor(dtype, np.array(values, dtype.numpy))


def answer(model: Instance, values: Any = (1, 2, 3), kind: str = "FP32") -> Any:
    """What `y` is for these values of `x`."""
    return run(model, {"x": tensor(values, kind)})["y"].data


def run(
    model: Instance, inputs: Mapping[str, Tensor], outputs: frozenset[str] | None = None, request_id: str = ""
) -> Mapping[str, Tensor]:
    """Execute one request; raises what the model answers in place of outputs."""
    wanted = [spec.name for spec in model.outputs if outputs is None or spec.name in outputs]
    (result,) = model.execute([Asked(inputs, wanted, request_id)])
    if isinstance(result, OVServeError):
        raise result
    assert isinstance(result, Answer), result
    return result.outputs
