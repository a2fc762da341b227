"""Reading `model_warmup`, and running it on a real model."""

from pathlib import Path

import numpy as np
import pytest

import small_models
from ovserve.config.declared import Sample, SampleInput, WrongTritonConfig
from ovserve.config.model import ModelConfig
from ovserve.config.triton import DONE_BY_SERVER, read_triton
from ovserve.engine.openvino import Engine
from ovserve.errors import LoadFailed
from ovserve.repository.layout import find_files
from ovserve.repository.mapping import NameMapping
from ovserve.serving.decoding_turns import make_decoding_turns
from ovserve.serving.model import Model
from ovserve.serving.warm_up import warm_up
from ovserve.tensors import DType

ZEROS = {"data_type": "TYPE_FP32", "dims": ["2"], "zero_data": True}


def read(*samples: object, most: int = 4, **fields: object) -> tuple[Sample, ...]:
    return read_triton({"max_batch_size": most, "model_warmup": list(samples), **fields}, DONE_BY_SERVER).warm_up


def one(given: object, **fields: object) -> object:
    return {"name": "s", "inputs": {"x": given}, **fields}


@pytest.mark.parametrize(("most", "shape"), [(0, (2,)), (4, (3, 2))])
def test_the_batch_comes_in_front_where_there_are_batches(most: int, shape: tuple[int, ...]) -> None:
    batch = {"batch_size": 3} if most else {}
    (sample,) = read(one(ZEROS, count=5, **batch), most=most)
    assert sample == Sample("s", {"x": SampleInput(DType.FP32, shape)}, 5)


def test_a_sample_runs_once_with_a_batch_of_one_unless_it_says_more() -> None:
    (sample,) = read(one(ZEROS))
    assert (sample.count, sample.inputs["x"].shape) == (1, (1, 2))


def test_where_the_configuration_reshapes_an_input_the_sample_is_reshaped_too() -> None:
    x = {"name": "x", "data_type": "TYPE_FP32", "dims": [2], "reshape": {"shape": [2, 1]}}
    (sample,) = read(one(ZEROS), input=[x])
    assert sample.inputs["x"].shape == (1, 2, 1)


@pytest.mark.parametrize(
    ("sample", "sentence"),
    [
        (one(ZEROS, batch_size=5), "model_warmup 's': batch_size is 5, max_batch_size 4"),
        (one(ZEROS, count=1001), "model_warmup 's': count is 1001, expected at most 1000"),
        ({"name": "s"}, "model_warmup 's' has no inputs"),
        (one({**ZEROS, "data_type": "TYPE_INVALID"}), "model_warmup 's': input 'x' has no data_type"),
        (one({**ZEROS, "dims": ["-1"]}), r"input 'x' has dims \(-1\), expected every one to be 0 or more"),
        (one({**ZEROS, "dims": [1 << 40]}), "expected at most 1073741824 bytes"),
        (one({**ZEROS, "random_data": True}), "expected one of zero_data, random_data and input_data_file, got 2"),
        (one({**ZEROS, "zero_data": False}), "expected one of .*, got 0"),
        (one({"data_type": "TYPE_FP32", "input_data_file": "../x"}), "'../x' is not a file in the folder warmup"),
        (one({"data_type": "TYPE_FP32", "input_data_file": "/x"}), "'/x' is not a file in the folder warmup"),
    ],
)
def test_a_wrong_sample_is_told_in_one_sentence(sample: object, sentence: str) -> None:
    with pytest.raises(WrongTritonConfig, match=sentence):
        read(sample)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "m/warmup").mkdir(parents=True)
    return tmp_path / "m"


def run(wanted: SampleInput, folder: Path) -> None:
    saved = small_models.save(small_models.add_one([-1, 2]), folder / "1")
    config = ModelConfig(name="m", base_path=folder)
    model = Model(config, 1, Engine().load(find_files(saved), NameMapping(), config), make_decoding_turns())
    warm_up(model, (Sample("s", {"x": wanted}),), folder)


def test_values_come_from_a_file(folder: Path) -> None:
    (folder / "warmup/x.bin").write_bytes(np.ones((3, 2), np.float32).tobytes())
    run(SampleInput(DType.FP32, (3, 2), file_name="x.bin"), folder)


@pytest.mark.parametrize("dtype", DType)
@pytest.mark.parametrize("is_random", [False, True])
def test_values_of_every_datatype_are_made(folder: Path, dtype: DType, is_random: bool) -> None:
    wanted = SampleInput(dtype, (1, 2), is_random)
    if dtype is DType.FP32:
        run(wanted, folder)
        return
    with pytest.raises(LoadFailed, match=f"expects datatype FP32, got {dtype.kserve}"):
        run(wanted, folder)


def test_a_sample_that_does_not_fit_is_told(folder: Path) -> None:
    with pytest.raises(LoadFailed, match=r"^model_warmup 's': model 'm' version 1: Invalid .*Actual: \(1,3\)"):
        run(SampleInput(DType.FP32, (1, 3)), folder)


@pytest.mark.parametrize(
    ("data", "dtype", "sentence"),
    [
        (b"\0" * 7, DType.FP32, r"'warmup/x.bin' of shape \[1,2\] and datatype FP32 expects 8 bytes, got 7"),
        (b"\1\0\0\0ab\0\0\0\0", DType.BYTES, "'warmup/x.bin'.* bytes"),
    ],
)
def test_a_file_of_another_size_is_told(folder: Path, data: bytes, dtype: DType, sentence: str) -> None:
    (folder / "warmup/x.bin").write_bytes(data)
    with pytest.raises(LoadFailed, match=f"model_warmup 's': {sentence}"):
        run(SampleInput(dtype, (1, 2), file_name="x.bin"), folder)


def test_a_file_that_is_not_there_is_told_without_its_folder(folder: Path) -> None:
    with pytest.raises(LoadFailed, match=r"^model_warmup 's': 'warmup/x.bin' cannot be read: No such file"):
        run(SampleInput(DType.FP32, (1, 2), file_name="x.bin"), folder)


def test_a_link_out_of_the_models_folder_is_refused(folder: Path) -> None:
    (folder.parent / "x.bin").write_bytes(bytes(8))
    (folder / "warmup/x.bin").symlink_to(folder.parent / "x.bin")
    with pytest.raises(LoadFailed, match=r"'warmup/x.bin' is a link that leads out of the model's folder"):
        run(SampleInput(DType.FP32, (1, 2), file_name="x.bin"), folder)
