"""How a route gets into the application and into the OpenAPI document."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from ovserve.frontends.rest.rights import right_for
from ovserve.frontends.rest.schemas import answers

Handler = Callable[[Request], Awaitable[Response]]


def add(
    router: APIRouter,
    path: str,
    handler: Handler,
    responses: dict[int | str, dict[str, Any]],
    *,
    method: str = "GET",
    extra: dict[str, Any] | None = None,
) -> None:
    """Add a route; its handler's docstring is what the documentation says of it, with what is in `extra`.

    Where a key may be asked for, the answers to a missing and to a wrong one are described too.
    """
    if right_for(router.prefix + path) is not None:
        responses = answers(None, 401, 403) | responses
    router.add_api_route(
        path,
        handler,
        methods=[method],
        summary=(handler.__doc__ or "").rstrip("."),
        description=" ",  # else the docstring again
        response_class=Response,
        response_model=None,
        responses=responses,
        openapi_extra=extra,
    )
