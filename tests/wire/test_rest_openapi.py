"""The OpenAPI document describes the server: every operation in it, asked anything, answers as the document says."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from http_door import HttpDoor
from server_process import ServerProcess
from tries import tries

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=8,
)
KNOWN = st.sampled_from(["dyn", "grow", "text", "fixed", "pass_bf16", "broken", "nope"])
OPERATIONS = [
    *(("GET", path) for path in ("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/stats")),
    *(
        ("GET", f"/v2/models/{{name}}{version}{what}")
        for version in ("", "/versions/{version}")
        for what in ("", "/ready", "/config", "/stats")
    ),
    ("POST", "/v2/models/{name}/infer"),
    ("POST", "/v2/models/{name}/versions/{version}/infer"),
    ("POST", "/v2/repository/index"),
    ("POST", "/v2/repository/models/{name}/load"),
    ("POST", "/v2/repository/models/{name}/unload"),
    ("GET", "/v2/systemsharedmemory/status"),
    ("GET", "/v2/systemsharedmemory/region/{region}/status"),
    ("POST", "/v2/systemsharedmemory/region/{region}/register"),
    ("POST", "/v2/systemsharedmemory/region/{region}/unregister"),
    ("POST", "/v2/systemsharedmemory/unregister"),
    *((method, "/v2/logging") for method in ("GET", "POST")),
    *(
        (method, f"/v2{model}/trace/setting")
        for method in ("GET", "POST")
        for model in ("", "/models/{name}", "/models/{name}/versions/{version}")
    ),
    *(
        (method, f"/v1/models/{{name}}{version}{what}")
        for version in ("", "/versions/{version}")
        for method, what in (("GET", ""), ("GET", "/metadata"), ("POST", ":predict"))
    ),
    ("GET", "/v1/config"),
    ("POST", "/v1/config/reload"),
    ("GET", "/metrics"),
]
# The server has models that cannot be loaded, and tells so as OVMS does.
FAILS = {"/v1/config/reload"}
OPEN = {"/v2/health/live", "/v2/health/ready", "/v2/models/{name}/ready", "/v2/models/{name}/versions/{version}/ready"}
AS_IT_WAS = {
    "/v2/logging": {
        **dict.fromkeys(("log_error", "log_warning", "log_info"), True),
        "log_verbose_level": 0,
        "log_format": "console",
        "log_requests": False,
    },
    "/v2/trace/setting": dict.fromkeys(("trace_level", "trace_rate", "trace_count")),
}


@pytest.fixture(scope="module")
def open_door(server: ServerProcess) -> Iterator[HttpDoor]:
    door = HttpDoor(server.rest_address)
    yield door
    door.close()


@pytest.fixture(scope="module")
def document(open_door: HttpDoor) -> dict[str, Any]:
    return open_door.get("/openapi.json").json


def test_every_route_stands_in_the_document(document: dict[str, Any]) -> None:
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert set(OPERATIONS) == described


def test_a_key_may_be_asked_for_everywhere_but_at_probes(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert ({"401", "403"} <= operation["responses"].keys()) is (path not in OPEN), path


@pytest.fixture
def restored(open_door: HttpDoor) -> Iterator[None]:
    yield
    for path, before in AS_IT_WAS.items():
        assert open_door.ask("POST", path, before).status == 200


def test_every_parameter_in_an_address_is_described(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            described = {
                parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "path"
            }
            assert described == set(re.findall(r"\{(\w+)\}", path)), path


def from_schema(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that fit a schema of the few kinds that the document uses."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("type") in {"string", "boolean", "integer"}:
        low, high = schema.get("minimum"), schema.get("maximum")
        plain = {"string": st.text(max_size=12), "boolean": st.booleans(), "integer": st.integers(low, high)}
        return plain[schema["type"]]
    match schema.get("type"):
        case "array":
            return st.lists(from_schema(schema["items"]), min_size=schema.get("minItems", 0), max_size=5)
        case "object":
            required = {name: from_schema(schema["properties"][name]) for name in schema.get("required", ())}
            rest = {
                name: from_schema(value)
                for name, value in schema.get("properties", {}).items()
                if name not in schema.get("required", ())
            }
            return st.fixed_dictionaries(required, optional=rest)
    return ANYTHING


@pytest.mark.usefixtures("restored")
@given(data=st.data())
@settings(max_examples=tries(600), deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_is_asked_the_answer_is_one_that_the_document_knows(
    open_door: HttpDoor, document: dict[str, Any], data: st.DataObject
) -> None:
    method, path = data.draw(st.sampled_from(OPERATIONS))
    operation = document["paths"][path][method.lower()]
    name = data.draw(KNOWN | st.text(min_size=1, max_size=9))
    version = str(data.draw(st.sampled_from([1, 2]) | st.integers(0, 1 << 70)))
    body = None
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        body = json.dumps(data.draw(from_schema(schema) | ANYTHING)).encode()
    answer = open_door.ask(
        method, path.format(name=quote(name, safe=""), region=quote(name, safe=""), version=version), body
    )
    assert str(answer.status) in operation["responses"], (answer.status, answer.body)
    assert answer.status in {501, 503} or answer.status < 500 or path in FAILS
    if answer.status >= 400:
        assert answer.error


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attributes if name in {"src", "href"}]


def test_the_page_for_people_shows_every_operation_and_loads_nothing_from_elsewhere(
    open_door: HttpDoor, document: dict[str, Any]
) -> None:
    answer = open_door.get("/docs")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    text = answer.body.decode()
    for path, methods in document["paths"].items():
        for method in methods:
            assert f"<code>{method.upper()} {path}</code>" in text
    links = _Links()
    links.feed(text)
    assert links.found == ["openapi.json"]
    assert "<script" not in text
