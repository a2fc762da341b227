"""TensorFlow Serving's API over gRPC (https://github.com/tensorflow/serving), as far as OVMS had it.

A frontend translates; it never decides. Each method: decode, one call, encode. Statuses are those of status.py: where
OVMS answered otherwise (UNKNOWN for what it had no code for), the project decided for these.
"""

from collections.abc import Callable, Sequence
from typing import Any

from ovserve.control import Control
from ovserve.dataplane import DataPlane
from ovserve.errors import OVServeError
from ovserve.frontends.grpc.answering import Handler, answering
from ovserve.frontends.tfs import messages, metadata, model_status, predict
from ovserve.frontends.tfs.declarations import SERVICES, UNSUPPORTED
from ovserve.http2.call import Call
from ovserve.requests import Door

NAMES = tuple(SERVICES)
PREDICT = "Predict"
DOOR = Door("TensorFlowServing", "gRPC")


class Service:
    """One method per RPC that is answered, under the RPC's name."""

    def __init__(self, dataplane: DataPlane) -> None:
        self._dataplane = dataplane

    def refused(self, error: OVServeError) -> None:
        """Take note of a Predict that could not be read."""
        self._dataplane.refused(DOOR, error)

    def Predict(self, request: Any, context: Call) -> Any:
        with self._dataplane.watch(DOOR) as watch:
            spec = request.model_spec
            watch.know(spec.name, spec.version.value or None, "")
            watch.carry(context.invocation_metadata)
            return predict.encode(self._dataplane.infer(predict.decode(request), context, DOOR, watch))

    def GetModelMetadata(self, request: Any, _context: Call) -> Any:
        name, version = predict.model_and_version(request)
        metadata.check_fields(request.metadata_field, name)
        return metadata.encode(self._dataplane.metadata(name, version, DOOR)[0])


class StatusService:
    """What is told of the life of versions."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def GetModelStatus(self, request: Any, _context: Call) -> Any:
        return model_status.encode(self._control.standings(*predict.model_and_version(request)))


def handlers(services: Sequence[object], otherwise: Callable[[str], Handler]) -> dict[str, Handler]:
    """Make a handler, by path, for every RPC that the protocol names.

    `otherwise` makes those of RPCs that none of the `services` answers.
    """
    return {
        f"/{name}/{method}": _handler(services, method) or otherwise(f"/{name}/{method}")
        for name, methods in SERVICES.items()
        for method in (*methods, *UNSUPPORTED[name])
    }


def _handler(services: Sequence[object], method: str) -> Handler | None:
    service = next((each for each in services if hasattr(each, method)), None)
    if service is None:
        return None
    refused = service.refused if isinstance(service, Service) and method == PREDICT else None
    return answering(getattr(service, method), getattr(messages, f"{method}Request"), refused)
