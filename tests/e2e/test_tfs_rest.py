"""TensorFlow Serving's API over REST, through a real socket."""

import base64
import http.client
import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import small_models
from pipelines import document, node
from server_process import ServerProcess
from watched import adding

Serve = Callable[..., ServerProcess]

TEXT = """{
"m" :\x20
{
 "model_version_status": [
  {
   "version": "1",
   "state": "AVAILABLE",
   "status": {
    "error_code": "OK",
    "error_message": "OK"
   }
  }
 ]
}
}"""


def ask(
    server: ServerProcess, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=60)
    try:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection.request(method, path, data, headers or {})
        response = connection.getresponse()
        assert response.getheader("content-type") == "application/json"
        return response.status, response.read().decode()
    finally:
        connection.close()


def predict(server: ServerProcess, model: str, body: object, version: str = "") -> tuple[int, Any]:
    status, text = ask(server, "POST", f"/v1/models/{model}{version}:predict", body)
    return status, json.loads(text)


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    root = tmp_path_factory.mktemp("zoo")
    small_models.save(small_models.add_sub([-1, 4]), root / "two/1")
    small_models.save(small_models.add_one([2]), root / "one/1")
    small_models.save(small_models.add_one([2]), root / "one/2")
    (root / "one/2/model.bin").unlink()
    small_models.save(small_models.add_one([-1], "i64"), root / "whole/1")
    small_models.save(small_models.pass_through("string", [-1]), root / "text/1")
    server = ServerProcess("--model_repository", str(root), rest=True)
    yield server
    assert server.stop() == 0
    assert "internal error" not in server.log


def test_by_columns_and_by_rows(zoo: ServerProcess) -> None:
    a, b = [1, 2, 3, 4], [1, 1, 1, 1]
    rows = {"sum": [2, 3, 4, 5], "difference": [0, 1, 2, 3]}
    assert predict(zoo, "two", {"inputs": {"a": [a], "b": [b]}}) == (
        200,
        {"outputs": {name: [values] for name, values in rows.items()}},
    )
    assert predict(zoo, "two", {"instances": [{"a": a, "b": b}] * 2}) == (200, {"predictions": [rows, rows]})
    assert predict(zoo, "one", {"inputs": [1.5, 2]}) == (200, {"outputs": [2.5, 3]})
    assert predict(zoo, "one", {"instances": [1.5, 2], "signature_name": "any"}) == (200, {"predictions": [2.5, 3]})


def test_64_bits_are_exact(zoo: ServerProcess) -> None:
    assert predict(zoo, "whole", {"inputs": [2**31 - 2, -5]}) == (200, {"outputs": [2**31 - 1, -4]})


def test_bytes_come_and_go_as_base64(zoo: ServerProcess) -> None:
    binary = {"b64": base64.b64encode(b"\xff\0").decode()}
    assert predict(zoo, "text", {"instances": [binary, binary]}) == (200, {"predictions": [binary, binary]})
    assert predict(zoo, "text", {"inputs": ["ja", "\u00e4"]}) == (200, {"outputs": ["ja", "\u00e4"]})


@pytest.mark.parametrize("version", ["/versions/1", "/versions/0", ""])
def test_versions(zoo: ServerProcess, version: str) -> None:
    assert predict(zoo, "one", {"inputs": [1, 2]}, version) == (200, {"outputs": [2, 3]})


@pytest.mark.parametrize(
    ("model", "body", "status", "text"),
    [
        ("nope", {"inputs": [1]}, 404, "model 'nope' is not found"),
        ("one/versions/7", {"inputs": [1]}, 404, "model 'one' version 7 is not found"),
        ("one/versions/x", {"inputs": [1]}, 400, "version 'x' is not valid"),
        ("one", b"{", 412, "The file is not valid json - model 'one': "),
        ("one", b"[" * 1000, 412, "nested more than 100 deep"),
        ("one", {}, 400, "Invalid JSON structure. Could not detect row or column format"),
        ("one", {"inputs": [1, 2, 3]}, 400, "Invalid input batch size - Expected: 2; Actual: 3; input name: x"),
        ("one", {"inputs": {"y": [1, 2]}}, 400, "'y'"),
        ("one", {"inputs": [[1, 2], [3]]}, 400, "lists of different lengths"),
        ("two", {"inputs": [[1, 2, 3, 4]]}, 400, "Inputs inside buffer does not match expected format."),
    ],
)
def test_errors(zoo: ServerProcess, model: str, body: object, status: int, text: str) -> None:
    got, document = predict(zoo, model, body)
    assert got == status
    assert text in document["error"]


def test_status_and_metadata(zoo: ServerProcess) -> None:
    status, text = ask(zoo, "GET", "/v1/models/one")
    first, second = json.loads(text)["model_version_status"]
    ok = {"error_code": "OK", "error_message": "OK"}
    assert (status, first) == (200, {"version": "1", "state": "AVAILABLE", "status": ok})
    assert (second["state"], second["status"]["error_code"]) == ("LOADING", "UNKNOWN")
    assert "model.bin" in second["status"]["error_message"]
    status, text = ask(zoo, "GET", "/v1/models/two/versions/1/metadata")
    signature = json.loads(text)["metadata"]["signature_def"]["signatureDef"]["serving_default"]
    assert (status, signature["inputs"]["a"]["tensorShape"]["dim"][0]) == (200, {"size": "-1", "name": ""})


@pytest.mark.parametrize("path", ["/v1/models/nope", "/v1/models/nope/metadata", "/v1/models/one/versions/3"])
def test_what_is_not_there(zoo: ServerProcess, path: str) -> None:
    assert ask(zoo, "GET", path)[0] == 404


def test_every_version_of_every_model(zoo: ServerProcess) -> None:
    status, text = ask(zoo, "GET", "/v1/config")
    assert (status, list(json.loads(text))) == (200, ["one", "text", "two", "whole"])


# Reload, by the steps of OVMS's own tests


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A config.json that lists one model."""
    small_models.save(adding(1), tmp_path / "m/1")
    write(tmp_path, "m")
    return tmp_path


def write(folder: Path, *names: str, **more: object) -> None:
    models = [{"config": {"name": name, "base_path": name}} for name in names]
    (folder / "config.json").write_text(json.dumps({"model_config_list": models, **more}))


@pytest.fixture
def still(serve: Serve, place: Path) -> ServerProcess:
    """A server that looks only when it is asked."""
    return serve("--config_path", str(place), "--file_system_poll_wait_seconds", "0", rest=True)


def reload(server: ServerProcess) -> tuple[int, str]:
    return ask(server, "POST", "/v1/config/reload")


def test_a_reload_says_whether_anything_was_loaded(still: ServerProcess, place: Path) -> None:
    assert reload(still) == (200, TEXT)
    assert ask(still, "GET", "/v1/config") == (200, TEXT)
    small_models.save(adding(2), place / "m/2")
    status, text = reload(still)
    states = {row["version"]: row["state"] for row in json.loads(text)["m"]["model_version_status"]}
    assert (status, states) == (201, {"1": "END", "2": "AVAILABLE"})
    assert predict(still, "m", {"inputs": [[0, 0]]}) == (200, {"outputs": [[2, 2]]})
    assert reload(still)[0] == 200


def test_a_list_that_grows_is_loaded(still: ServerProcess, place: Path) -> None:
    write(place)
    assert reload(still)[0] == 201
    write(place, "m")
    assert reload(still) == (201, TEXT)


def test_a_single_model_that_stays_as_it_is(serve: Serve, place: Path) -> None:
    flags = ("--model_name", "m", "--model_path", str(place / "m"), "--file_system_poll_wait_seconds", "0")
    assert reload(serve(*flags, rest=True)) == (200, TEXT)


def test_a_file_that_is_missing_and_then_added(still: ServerProcess, place: Path) -> None:
    xml = small_models.save(adding(2), place / "m/2") / "model.xml"
    xml.rename(place / "kept")
    assert reload(still)[0] == 500
    (place / "kept").rename(xml)
    status, text = reload(still)
    assert (status, '"version": "2",\n   "state": "AVAILABLE"' in text) == (201, True)
    assert predict(still, "m", {"inputs": [[0, 0]]}) == (200, {"outputs": [[2, 2]]})


def test_all_models_removed(still: ServerProcess, place: Path) -> None:
    write(place)
    assert reload(still) == (201, TEXT.replace("AVAILABLE", "END"))


def test_a_folder_without_versions(serve: Serve, place: Path) -> None:
    (place / "empty").mkdir()
    write(place, "m", "empty")
    server = serve("--config_path", str(place), "--file_system_poll_wait_seconds", "0", rest=True)
    status, text = reload(server)
    assert (status, json.loads(text)["empty"]) == (200, {"model_version_status": []})


FAILED = "Reloading config file failed. Check server logs for more info."


@pytest.fixture(scope="module")
def spoiled_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that each test leaves as it was."""
    root = tmp_path_factory.mktemp("spoiled")
    small_models.save(adding(1), root / "m/1")
    write(root, "m")
    return root


@pytest.fixture(scope="module")
def still_there(spoiled_place: Path) -> Iterator[ServerProcess]:
    server = ServerProcess("--config_path", str(spoiled_place), "--file_system_poll_wait_seconds", "0", rest=True)
    yield server
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("spoil", "status", "text"),
    [
        (lambda place: (place / "config.json").unlink(), 500, "Config file not found or cannot open."),
        (lambda place: (place / "config.json").write_text("{"), 412, FAILED),
        (lambda place: write(place, "m", "nowhere"), 400, FAILED),
        (
            lambda place: small_models.save(adding(2), place / "m/2").joinpath("model.xml").unlink(),
            500,
            "Reloading models versions failed. Check server logs for more info.",
        ),
        (lambda place: write(place, "m", "m"), 500, FAILED),
        (lambda place: write(place, "m", pipeline_config_list=[document(node("a", "m", outputs="nope"))]), 500, FAILED),
        (lambda place: write(place, "m", pipeline_config_list=[document(node("a", "absent"))]), 500, FAILED),
    ],
)
def test_a_reload_that_fails_says_so_each_time(
    still_there: ServerProcess, spoiled_place: Path, spoil: Callable[[Path], object], status: int, text: str
) -> None:
    spoil(spoiled_place)
    refusal = (status, f'{{\n\t"error": "{text}"\n}}')
    for _ in range(2):
        assert reload(still_there) == refusal
    with ThreadPoolExecutor(2) as executor:
        assert list(executor.map(reload, [still_there] * 4)) == [refusal] * 4
    assert predict(still_there, "m", {"inputs": [[0, 0]]}) == (200, {"outputs": [[1, 1]]})
    write(spoiled_place, "m")
    shutil.rmtree(spoiled_place / "m/2", ignore_errors=True)
    assert reload(still_there)[0] == 200


def test_keys_guard_the_addresses(serve: Serve, place: Path) -> None:
    keys = place / "keys.txt"
    keys.write_text("infer-key-0123456789abcdef inference\n")
    keys.chmod(0o600)
    server = serve("--config_path", str(place), "--api_key_file", str(keys), rest=True)
    assert ask(server, "GET", "/v1/config")[0] == 401
    assert predict(server, "m", {"inputs": [[0, 0]]})[0] == 401
