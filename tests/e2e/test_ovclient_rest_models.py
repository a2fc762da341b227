"""Both clients over REST: models that come and go, and graphs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import small_models
from ovclient import (
    Client,
    InvalidRequest,
    NotFound,
)
from pipelines import document, node
from server_process import ServerProcess

Serve = Callable[..., ServerProcess]
X = np.zeros((1, 4), np.float32)


def test_models_are_loaded_and_unloaded(twin: Any, serve: Serve, repository: Path) -> None:
    small_models.save(small_models.add_one([-1, 4]), repository / "m/1")
    folder = small_models.save(small_models.add_sub([2, 2]), repository.parent / "other")
    server = serve("--model_repository", str(repository), "--model_control_mode", "explicit", rest=True)
    with twin(f"http://{server.rest_address}") as client:
        with pytest.raises(NotFound):
            client.infer("m", {"x": X})
        client.load_model("m")
        assert client.infer("m", X)["y"].tolist() == [[1, 1, 1, 1]]
        files = {f"1/{file.name}": file.read_bytes() for file in folder.iterdir()}
        client.load_model("m", {"backend": "openvino"}, files)
        assert [tensor.name for tensor in client.metadata("m").inputs] == ["a", "b"]
        client.unload_model("m", unload_dependents=True)
        assert [(row.name, row.state) for row in client.repository_index()] == [("m", "UNAVAILABLE")]
        with pytest.raises(InvalidRequest):
            client.load_model("nope")


def test_the_graph_of_a_pipeline_is_the_same(twin: Any, serve: Serve, tmp_path: Path) -> None:
    small_models.save(small_models.add_one([1, 2]), tmp_path / "a/1")
    small_models.save(small_models.add_one([1, 2]), tmp_path / "b/1")
    models = [{"config": {"name": name, "base_path": name}} for name in ("a", "b")]
    chain = document(node("first", "a"), node("second", "b", inputs={"x": "first.y"}))
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"model_config_list": models, "pipeline_config_list": [chain]}))
    server = serve("--config_path", str(file), rest=True)
    with twin(f"http://{server.rest_address}") as client, Client(server.address) as other:
        assert client.pipeline("p") == other.pipeline("p")
        assert client.infer("p", {"x": np.zeros((1, 2), np.float32)}).model == "p"
