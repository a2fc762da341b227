"""LogSettings and TraceSetting over gRPC: Triton's RPCs that get and set."""

from typing import Any

from tritonclient.grpc import service_pb2 as pb

from ovserve.control import Control
from ovserve.dataplane import DataPlane
from ovserve.errors import InvalidInput
from ovserve.http2.call import Call
from ovserve.log_settings import Value


class SettingsService:
    """One method per RPC, under the RPC's name; for those who may manage."""

    def __init__(self, dataplane: DataPlane, control: Control) -> None:
        self._dataplane = dataplane
        self._control = control

    def LogSettings(self, request: Any, _context: Call) -> Any:
        settings = self._control.log_settings({name: _value(name, each) for name, each in request.settings.items()})
        response = pb.LogSettingsResponse()
        for name, value in settings.items():
            field = {bool: "bool_param", int: "uint32_param", str: "string_param"}[type(value)]
            setattr(response.settings[name], field, value)
        return response

    def TraceSetting(self, request: Any, _context: Call) -> Any:
        self._control.check_may_set("trace settings")
        changes = {name: tuple(setting.value) for name, setting in request.settings.items()}
        settings = self._dataplane.trace_settings(changes, request.model_name)
        response = pb.TraceSettingResponse()
        for name, value in settings.shown().items():
            response.settings[name].value.append(value)
        return response


def _value(name: str, setting: Any) -> Value:
    field = setting.WhichOneof("parameter_choice")
    if field is None:
        raise InvalidInput(f"log setting '{name[:64]}' has no value")
    value: Value = getattr(setting, field)
    return value
