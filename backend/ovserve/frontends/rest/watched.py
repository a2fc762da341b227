"""Follows an inference request that comes over HTTP, in terms that are not HTTP's."""

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from ovserve.dataplane import DataPlane
from ovserve.errors import Cancelled, InvalidInput
from ovserve.frontends.rest.paths import decoded
from ovserve.requests import Door
from ovserve.seeing.watch import Watch


@contextmanager
def watched(dataplane: DataPlane, door: Door, request: Request) -> Iterator[Watch]:
    """Watch a request to the model in the address, from its headers until it is answered."""
    with dataplane.watch(door) as watch:
        watch.carry(request.headers.items)
        try:
            watch.know(decoded(request.path_params["name"]), request.path_params.get("version"), "")
            yield watch
        except HTTPException as error:
            watch.refuse(InvalidInput(error.detail))
            raise
        except ClientDisconnect:
            watch.refuse(Cancelled("the caller went away"))
            raise
