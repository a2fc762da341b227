"""Loading and running Python models; what they raise and what they give."""

import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ovserve.config.declared import TritonConfig
from ovserve.engine.python_backend.load_python import load_python
from ovserve.engine.python_backend.python_model import PythonModel
from ovserve.errors import (
    Cancelled,
    InferenceFailed,
    InvalidInput,
    LoadFailed,
    NotFound,
    NotReady,
    OVServeError,
    Unsupported,
)
from ovserve.tensors import DType
from python_models import ARRAY, answer, load, run, source, tensor


def refusal(folder: Path, text: str, **document: Any) -> str:
    with pytest.raises(LoadFailed) as raised:
        load(folder, text, **document)
    return str(raised.value)


def failure(model: PythonModel, kind: type[OVServeError] = InferenceFailed) -> str:
    with pytest.raises(kind) as raised:
        answer(model)
    assert type(raised.value) is kind
    return str(raised.value)


def in_thread(function: Callable[[], Any]) -> Any:
    """Call it where no Ctrl-C can arrive."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]


def replying(array: str) -> str:
    """An execute that answers `y` with this array."""
    return f'return [pb_utils.InferenceResponse([pb_utils.Tensor("y", {array})])]'


# What it answers


def test_a_model_answers(tmp_path: Path) -> None:
    assert answer(load(tmp_path, source())).tolist() == [2, 4, 6]


def test_execute_may_be_async(tmp_path: Path) -> None:
    text = source("await asyncio.sleep(0)\n" + replying(f"{ARRAY} * 2"), top="import asyncio").replace(
        "def execute", "async def execute"
    )
    model = load(tmp_path, text)
    assert [answer(model, [n]).tolist() for n in range(3)] == [[0], [2], [4]]
    model.close()


def test_an_async_model_that_exits_answers_the_next_request(tmp_path: Path) -> None:
    text = source(f"if {ARRAY}.size == 3: raise SystemExit(1)\n" + replying(ARRAY)).replace(
        "def execute", "async def execute"
    )
    model = load(tmp_path, text)
    assert failure(model) == "model 'm' version 1: execute failed: SystemExit: 1"
    assert answer(model, [1]).tolist() == [1]
    model.close()


def test_a_task_left_behind_by_an_async_model_that_exits_does_no_harm(tmp_path: Path) -> None:
    text = source(
        "self.task = asyncio.ensure_future(self.leave())\nawait asyncio.sleep(0)\n" + replying(ARRAY),
        top="import asyncio",
        methods="async def leave(self): raise SystemExit(1)",
    ).replace("def execute", "async def execute")
    model = load(tmp_path, text)
    assert [answer(model, [n]).tolist() for n in range(3)] == [[0], [1], [2]]
    model.close()


@pytest.mark.parametrize("kind", [dtype.kserve for dtype in DType if dtype is not DType.BYTES])
def test_every_datatype_passes(tmp_path: Path, kind: str) -> None:
    sent = tensor([0, 1, 1], kind)
    got = run(load(tmp_path, source(replying(ARRAY), kind=kind)), {"x": sent})["y"]
    assert (got.dtype, got.data.dtype, got.data.tolist()) == (sent.dtype, sent.data.dtype, sent.data.tolist())


def test_texts_are_bytes_in_and_bytes_or_str_out(tmp_path: Path) -> None:
    text = source(
        replying('np.array([x[0] + b"!", "\u00e9", np.bytes_(b"z")], dtype=object)').replace("x[0]", f"{ARRAY}[0]"),
        kind="STRING",
    )
    assert answer(load(tmp_path, text), [b"a\0"], "BYTES").tolist() == [b"a\0!", "\u00e9".encode(), b"z"]


def test_an_array_of_numpy_bytes_is_text(tmp_path: Path) -> None:
    model = load(tmp_path, source(replying('np.array([b"one", b"two"])'), kind="STRING"))
    assert answer(model, [b""], "BYTES").tolist() == [b"one", b"two"]


@pytest.mark.parametrize(("kind", "value"), [("FP32", 3), ("STRING", b"three")])
def test_scalars_pass(tmp_path: Path, kind: str, value: Any) -> None:
    model = load(tmp_path, source(replying(ARRAY), kind=kind, dims="[]"))
    got = answer(model, value, kind.replace("STRING", "BYTES"))
    assert (got.shape, got.item()) == ((), value)


@pytest.mark.parametrize("kind", ["FP32", "STRING"])
def test_empty_tensors_pass(tmp_path: Path, kind: str) -> None:
    model = load(tmp_path, source(replying(ARRAY), kind=kind, dims="[-1, 4]"))
    assert answer(model, np.empty((0, 4)), kind.replace("STRING", "BYTES")).shape == (0, 4)


def test_a_view_of_the_input_is_given_on_without_a_copy(tmp_path: Path) -> None:
    sent = tensor([1, 2, 3])
    got = run(load(tmp_path, source(replying(f"{ARRAY}[1:]"))), {"x": sent})["y"].data
    assert np.shares_memory(got, sent.data)
    assert got.tolist() == [2, 3]


def test_an_array_that_the_model_keeps_does_not_change_in_an_earlier_answer(tmp_path: Path) -> None:
    keeps = "self.kept[:] = " + ARRAY + "\n" + replying("self.kept")
    model = load(tmp_path, source(keeps, methods="kept = np.zeros(3, np.float32)"))
    first = answer(model, [1, 1, 1])
    answer(model, [2, 2, 2])
    assert first.tolist() == [1, 1, 1]


def test_inputs_cannot_be_written_into(tmp_path: Path) -> None:
    sent = tensor([1, 2, 3])
    model = load(tmp_path, source(f"{ARRAY}[0] = 7\nreturn []"))
    with pytest.raises(InferenceFailed, match="ValueError: assignment destination is read-only"):
        run(model, {"x": sent})
    assert sent.data.flags.writeable


def test_only_the_outputs_asked_for_are_needed_and_given(tmp_path: Path) -> None:
    text = source(
        """
        wanted = requests[0].requested_output_names()
        return [pb_utils.InferenceResponse([pb_utils.Tensor(name, np.ones(1, np.float32)) for name in wanted])]
        """
    ).replace("return config", 'config.add_output({"name": "z", "data_type": "TYPE_FP32", "dims": [1]}); return config')
    model = load(tmp_path, text)
    asked = (frozenset({"z"}), frozenset({"z", "y"}), None)
    assert [list(run(model, {"x": tensor([1])}, outputs)) for outputs in asked] == [["z"], ["y", "z"], ["y", "z"]]


def test_an_output_that_was_not_asked_for_is_left_out(tmp_path: Path) -> None:
    assert run(load(tmp_path, source()), {"x": tensor([1])}, frozenset()) == {}


def test_a_batch_goes_before_the_dimensions(tmp_path: Path) -> None:
    model = load(tmp_path, source(replying(f"{ARRAY} * 2")), max_batch_size="4")
    assert [str(dim) for dim in (model.inputs[0].dims or ())] == ["[1~4]", "-1"]
    assert (model.inputs[0].batch_axis, answer(model, [[1], [2]]).tolist()) == (0, [[2], [4]])


def test_an_optional_input_may_be_absent(tmp_path: Path) -> None:
    text = source(
        'assert pb_utils.get_input_tensor_by_name(requests[0], "x") is None\n' + replying("np.ones(1, np.float32)")
    ).replace("config.add_input({", 'config.add_input({"optional": True, ')
    assert run(load(tmp_path, text), {})["y"].data.tolist() == [1]


# What does not fit


@pytest.mark.parametrize(
    ("execute", "sentence"),
    [
        ("return None", "execute must return a list of responses, got NoneType"),
        ("yield None", "execute must return a list of responses, got generator"),
        ("return []", "execute must return a response for each request, got 0 for 1"),
        ("return [1, 2]", "execute must return a response for each request, got 2 for 1"),
        ("return [3]", "a response must be an InferenceResponse, got int"),
        ("return [pb_utils.InferenceResponse()]", "output 'y' is missing, got none"),
        (replying("np.zeros(1)"), "output 'y' expects datatype FP32, got float64"),
        (replying("np.zeros(1, '>f4')"), "execute failed: tensor 'y': NumPy's >f4 has no datatype in Triton"),
        (replying("np.zeros((2, 1), np.float32)"), "output 'y' expects shape (-1), got [2,1]"),
        (replying("3.0"), "execute failed: TypeError: tensor 'y' takes a NumPy array, got float"),
        (
            replying("np.array(['a'])"),
            (
                "execute failed: tensor 'y': NumPy's <U1 has no datatype in Triton; "
                "for text use an array of dtype object"
            ),
        ),
        (replying("np.ones(1)").replace('"y"', '"q"'), "it declares no output 'q', but 'y'"),
        (
            't = pb_utils.Tensor("y", np.ones(1, np.float32)); return [pb_utils.InferenceResponse([t, t])]',
            "output 'y' is there twice",
        ),
        (
            "return [pb_utils.InferenceResponse([1])]",
            "execute failed: TypeError: output_tensors takes tensors, got int",
        ),
        (
            'return [pb_utils.InferenceResponse([], "no")]',
            "execute failed: TypeError: error takes a TritonError, got str",
        ),
        ("raise ValueError", "execute failed: ValueError"),
        ("raise KeyError('a')", "execute failed: KeyError: 'a'"),
        ("raise pb_utils.TritonModelException('no luck')", "execute failed: no luck"),
        (
            "open('/srv/secret/labels.txt')",
            "execute failed: FileNotFoundError: [Errno 2] No such file or directory: 'labels.txt'",
        ),
        ("import sys; sys.exit(3)", "execute failed: SystemExit: 3"),
        ("raise BaseException", "execute failed: BaseException"),
        ("class Odd(Exception):\n  def __str__(self): return 1 / 0\nraise Odd", "execute failed: Odd"),
        ("def deeper(): deeper()\ndeeper()", "execute failed: RecursionError: maximum recursion depth exceeded"),
    ],
)
def test_a_wrong_answer_fails_in_one_sentence(tmp_path: Path, execute: str, sentence: str) -> None:
    assert failure(load(tmp_path, source(execute))) == f"model 'm' version 1: {sentence}"


@pytest.mark.parametrize(
    ("item", "sentence"), [("3", "bytes or str in every place, got int"), ("'\\ud800'", "surrogates not allowed")]
)
def test_a_text_that_is_none_fails(tmp_path: Path, item: str, sentence: str) -> None:
    model = load(tmp_path, source(replying(f"np.array([{item}], dtype=object)"), kind="STRING"))
    with pytest.raises(InferenceFailed, match=sentence):
        answer(model, [b""], "BYTES")


def test_a_keyboard_interrupt_of_the_models_own_fails_only_the_request(tmp_path: Path) -> None:
    model = load(tmp_path, source("raise KeyboardInterrupt"))
    assert in_thread(lambda: failure(model)) == "model 'm' version 1: execute failed: KeyboardInterrupt"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("INVALID_ARG", InvalidInput),
        ("NOT_FOUND", NotFound),
        ("UNAVAILABLE", NotReady),
        ("UNSUPPORTED", Unsupported),
        ("CANCELLED", Cancelled),
        ("INTERNAL", InferenceFailed),
        ("UNKNOWN", InferenceFailed),
        ("ALREADY_EXISTS", InferenceFailed),
    ],
)
def test_an_error_in_the_answer_keeps_its_code(tmp_path: Path, code: str, kind: type[OVServeError]) -> None:
    error = f'pb_utils.TritonError("a sentence", pb_utils.TritonError.{code})'
    model = load(tmp_path, source(f"return [pb_utils.InferenceResponse(error={error})]"))
    assert failure(model, kind) == "model 'm' version 1: a sentence"


def test_the_traceback_goes_to_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = load(tmp_path, source("raise ValueError('no')"))
    with caplog.at_level(logging.ERROR, "ovserve"):
        failure(model)
    assert "model=m" in caplog.text
    assert f'File "{tmp_path / "model.py"}"' in caplog.text


# How it is loaded


def test_initialize_is_told_everything_as_text(tmp_path: Path) -> None:
    text = source(
        replying("np.array([self.args], dtype=object)"),
        methods="def initialize(self, args):\n    import json; self.args = json.dumps(args)",
        kind="STRING",
    )
    parameters = {"size": {"string_value": "7"}}
    model = load(tmp_path / "m/3", text, version=3, parameters=parameters, backend="python")
    args = json.loads(answer(model, [b""], "BYTES")[0])
    config = json.loads(args.pop("model_config"))
    assert args == {
        "model_instance_kind": "CPU",
        "model_instance_name": "m_0",
        "model_instance_device_id": "0",
        "model_repository": str(tmp_path / "m"),
        "model_version": "3",
        "model_name": "m",
    }
    declared = {"data_type": "TYPE_STRING", "dims": [-1]}
    assert (config["input"], config["output"]) == ([{"name": "x", **declared}], [{"name": "y", **declared}])
    assert (config["name"], config["max_batch_size"], config["parameters"]) == ("m", 0, parameters)


def test_outside_a_versions_folder_the_repository_is_the_files(tmp_path: Path) -> None:
    methods = "def initialize(self, args): raise ValueError(args['model_repository'].rpartition('/')[2])"
    assert refusal(tmp_path / "nodes", source(methods=methods)).endswith("ValueError: nodes")


def test_the_configuration_may_declare_the_tensors_with_numbers_as_text(tmp_path: Path) -> None:
    text = source().replace("def auto_complete_config", "def unused")
    tensors = [{"name": name, "data_type": "TYPE_FP32", "dims": ["2", "-1"]} for name in "xy"]
    model = load(tmp_path, text, input=tensors[:1], output=tensors[1:])
    assert answer(model, [[1], [2]]).tolist() == [[2], [4]]


def test_finalize_is_called_once(tmp_path: Path) -> None:
    text = source(methods=f"def finalize(self): open({str(tmp_path / 'log')!r}, 'a').write('end ')")
    model = load(tmp_path, text)
    model.close()
    model.close()
    assert (tmp_path / "log").read_text() == "end "


def test_a_finalize_that_fails_is_logged_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    load(tmp_path, source(methods="def finalize(self): raise SystemExit('no')")).close()
    assert "finalize failed" in caplog.text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = = 1", "import failed: SyntaxError: invalid syntax (model.py, line 1)"),
        ("import no_such_module", "import failed: ModuleNotFoundError: No module named 'no_such_module'"),
        (
            "from json import nothing",
            "import failed: ImportError: cannot import name 'nothing' from 'json' (__init__.py)",
        ),
        ("1 / 0", "import failed: ZeroDivisionError: division by zero"),
        ("raise SystemExit(2)", "import failed: SystemExit: 2"),
        ("", "it has no class TritonPythonModel"),
        ("TritonPythonModel = 3", "it has no class TritonPythonModel"),
        ("class TritonPythonModel: pass", "its class TritonPythonModel has no method execute"),
        (source(methods="def __init__(self): raise ValueError(1)"), "TritonPythonModel() failed: ValueError: 1"),
        (source(methods="def initialize(self, args): args['no']"), "initialize failed: KeyError: 'no'"),
        (
            source().replace("return config", "return None"),
            "auto_complete_config failed: it must return the configuration that it was given, got NoneType",
        ),
        (source().replace("return config", "raise ValueError('no')"), "auto_complete_config failed: ValueError: no"),
        (source(kind="FLOAT"), "input 'x': data_type must be TYPE_FP32, TYPE_STRING or the like, got TYPE_FLOAT"),
        (source(dims="[0]"), "input 'x': a dimension must be at least 1, or -1 for any, got 0"),
        (source(dims="'ab'"), "auto_complete_config failed: ValueError: invalid literal for int() with base 10: 'a'"),
        (
            source().replace("def auto_complete_config", "def unused"),
            (
                "it declares no input: add_input and add_output in auto_complete_config declare tensors, "
                "or input and output of the model configuration"
            ),
        ),
    ],
)
def test_what_cannot_be_served_is_refused_in_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    assert refusal(tmp_path, text) == f"'model.py': {sentence}"


def test_a_declaration_against_the_configuration_is_refused(tmp_path: Path) -> None:
    tensors = [{"name": "x", "data_type": "TYPE_FP32", "dims": ["4"]}]
    assert refusal(tmp_path, source(), input=tensors) == (
        "'model.py': auto_complete_config failed: ValueError: "
        "model 'm', input 'x': dims is [4] in the configuration, [-1] in the model"
    )


def test_a_keyboard_interrupt_of_the_files_own_refuses_it(tmp_path: Path) -> None:
    said = in_thread(lambda: refusal(tmp_path, "raise KeyboardInterrupt"))
    assert said == "'model.py': import failed: KeyboardInterrupt"


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadFailed, match=r"^'gone.py' is not there$"):
        load_python(tmp_path / "gone.py", TritonConfig("m"), name="m", version=1)
