"""The RPCs that Triton has for those who manage: what is in the repository, load, unload, and what was counted."""

from typing import Any

from tritonclient.grpc import service_pb2 as pb

from ovserve.control import Control
from ovserve.dataplane import DataPlane
from ovserve.errors import Unsupported
from ovserve.frontends.grpc import codec
from ovserve.frontends.grpc.model_statistics import model_statistics
from ovserve.http2.call import Call

_FILE = "file:"


class ManagementService:
    """One method per RPC, under the RPC's name."""

    def __init__(self, dataplane: DataPlane, control: Control) -> None:
        self._dataplane = dataplane
        self._control = control

    def ModelStatistics(self, request: Any, _context: Call) -> Any:
        version = codec.parse_version(request.version, request.name)
        found = self._dataplane.statistics(request.name, version)
        return pb.ModelStatisticsResponse(model_stats=map(model_statistics, found))

    def RepositoryIndex(self, request: Any, _context: Call) -> Any:
        if request.repository_name:
            raise Unsupported("RepositoryIndex: 'repository_name' is not supported")
        response = pb.RepositoryIndexResponse()
        for row in self._control.index(ready_only=request.ready):
            version = "" if row.version is None else str(row.version)
            response.models.add(name=row.name, version=version, state=row.state, reason=row.reason)
        return response

    def RepositoryModelLoad(self, request: Any, _context: Call) -> Any:
        files = [key for key in request.parameters if key.startswith(_FILE)]
        _check_management("RepositoryModelLoad", request, "config", *files)
        config = request.parameters["config"].string_param if "config" in request.parameters else None
        uploaded = {key.removeprefix(_FILE): request.parameters[key].bytes_param for key in files}
        self._control.load(request.model_name, config, uploaded)
        return pb.RepositoryModelLoadResponse()

    def RepositoryModelUnload(self, request: Any, _context: Call) -> Any:
        _check_management("RepositoryModelUnload", request, "unload_dependents")
        with_parts = request.parameters["unload_dependents"].bool_param
        self._control.unload(request.model_name, with_parts=with_parts)
        return pb.RepositoryModelUnloadResponse()


def _check_management(rpc: str, request: Any, *known: str) -> None:
    if request.repository_name:
        raise Unsupported(f"{rpc}: 'repository_name' is not supported")
    unknown = request.parameters.keys() - set(known)
    if unknown:
        raise Unsupported(f"{rpc}: parameter '{min(unknown)}' is not supported")
