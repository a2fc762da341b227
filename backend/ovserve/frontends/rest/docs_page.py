"""The OpenAPI document as a page for people: plain HTML, without a script and without anything from elsewhere."""

import json
from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import HTMLResponse, Response

_STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; }
pre, code { font: 14px/1.4 monospace; background: #8881; }
pre { padding: .5em; overflow: auto; }
h2 { margin-top: 2em; }
"""
_HEADERS = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}


def docs_router(app: FastAPI) -> APIRouter:
    """Show at /docs what `app` answers."""
    router = APIRouter()

    async def show(_request: Request) -> Response:
        return HTMLResponse(page(app.openapi()), headers=_HEADERS)

    router.add_api_route("/docs", show, include_in_schema=False, response_model=None)
    return router


def page(document: dict[str, Any]) -> str:
    """Write every operation of an OpenAPI document."""
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    operations = [
        _operation(method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{_STYLE}</style>"
        f"<h1>{title}</h1><p>For programs: <a href=openapi.json>openapi.json</a></p>{''.join(operations)}</html>"
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    said = [operation.get("summary", ""), operation.get("description", "")]
    parts = [f"<h2><code>{method.upper()} {escape(path)}</code></h2>"]
    parts += [f"<p>{escape(text)}</p>" for text in said if text]
    parts += [
        f"<p><code>{escape(parameter['name'])}</code>: {escape(parameter.get('description', ''))}</p>"
        for parameter in operation.get("parameters", ())
    ]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        parts += [_shown("Body", content.get("schema")), _shown("For example", content.get("example"))]
    statuses = [f"{status} {escape(answer['description'])}" for status, answer in operation["responses"].items()]
    return "".join([*parts, f"<p>{', '.join(statuses)}</p>"])


def _shown(label: str, value: Any) -> str:
    return f"<details><summary>{label}</summary><pre>{escape(json.dumps(value, indent=1))}</pre></details>"
