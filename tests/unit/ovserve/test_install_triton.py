import sys
from pathlib import Path

import pytest

from ovserve import install_triton
from ovserve.cli import main


def install(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["install-triton-backend", *arguments])
    printed = capsys.readouterr()
    return ended.value.code, printed.out, printed.err


@pytest.mark.parametrize("name", install_triton.NAMES)
def test_the_plug_in_is_put_in_place_again_and_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    for _ in range(2):
        code, out, err = install(capsys, str(tmp_path), "--name", name, "--python", sys.executable)
        assert (code, err) == (0, "")
    assert [path.name for path in (tmp_path / name).iterdir()] == ["model.py"]
    assert "class TritonPythonModel" in (tmp_path / name / "model.py").read_text()
    assert f"Installed {tmp_path / name / 'model.py'}" in out
    assert f"{sys.executable}: Python {sys.version_info[0]}.{sys.version_info[1]}, ovserve " in out


@pytest.mark.parametrize("file", ["libtriton_openvino.so", "model.py"])
def test_another_backend_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str) -> None:
    (tmp_path / "openvino").mkdir()
    (tmp_path / "openvino" / file).write_text("not ours")
    code, _, err = install(capsys, str(tmp_path), "--name", "openvino")
    assert code == 1
    assert f"holds another backend ({file})" in err
    assert (tmp_path / "openvino" / file).read_text() == "not ours"


def test_a_python_without_ovserve_is_told_what_to_install(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    python = tmp_path / "python3"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E "$@"\n')
    python.chmod(0o755)
    code, out, err = install(capsys, str(tmp_path), "--python", str(python))
    assert code == 1
    assert "ovserve missing, openvino missing, numpy missing" in out
    assert f"lacks ovserve, openvino, numpy: run {python} -m pip install ovserve 'numpy<2'" in err


def test_a_stub_for_another_python_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "python").mkdir()
    (tmp_path / "python/triton_python_backend_stub").write_bytes(b"\x7fELF\0libpython3.8.so.1.0\0")
    code, _, err = install(capsys, str(tmp_path), "--python", sys.executable)
    assert code == 1
    assert "Triton's stub is built for Python 3.8" in err


@pytest.mark.parametrize("wrong", ["nowhere", "file"])
def test_what_is_no_folder_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: str) -> None:
    (tmp_path / "file").touch()
    code, out, err = install(capsys, str(tmp_path / wrong))
    assert (code, out) == (1, "")
    assert "is not a folder: name Triton's folder of backends" in err


def test_a_python_that_does_not_run_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = install(capsys, str(tmp_path), "--python", str(tmp_path / "none"))
    assert code == 1
    assert "does not run" in err


def test_wrong_usage_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert install(capsys)[0] == 2
    assert install(capsys, ".", "--name", "other")[0] == 2
