"""Which right each RPC needs, and its check before anything of the request is read."""

from collections.abc import Mapping

from ovserve.dataplane import DataPlane
from ovserve.errors import OVServeError
from ovserve.frontends.grpc import kserve, tfs
from ovserve.frontends.grpc.status import STATUS, fitting
from ovserve.http2.head import Head, Metadata
from ovserve.http2.status import Refused
from ovserve.observability.logs import get_logger
from ovserve.requests import Door
from ovserve.security.keys import Keys, Right, presented_key

_KSERVE = "/inference.GRPCInferenceService/"
_PREDICTION = "/tensorflow.serving.PredictionService/"
_MODELS = "/tensorflow.serving.ModelService/"

# None: open to everybody. Liveness and readiness are for probes, which have no keys; reflection tells what is public.
RIGHTS: Mapping[str, Right | None] = {
    f"{_KSERVE}ServerLive": None,
    f"{_KSERVE}ServerReady": None,
    f"{_KSERVE}ModelReady": None,
    f"{_KSERVE}ServerMetadata": Right.INFERENCE,
    f"{_KSERVE}ModelMetadata": Right.INFERENCE,
    f"{_KSERVE}ModelConfig": Right.INFERENCE,
    f"{_KSERVE}ModelInfer": Right.INFERENCE,
    f"{_KSERVE}ModelStreamInfer": Right.INFERENCE,
    f"{_KSERVE}RepositoryIndex": Right.INFERENCE,
    f"{_KSERVE}SystemSharedMemoryStatus": Right.MANAGEMENT,
    f"{_KSERVE}SystemSharedMemoryRegister": Right.MANAGEMENT,
    f"{_KSERVE}SystemSharedMemoryUnregister": Right.MANAGEMENT,
    f"{_KSERVE}CudaSharedMemoryStatus": Right.MANAGEMENT,
    f"{_KSERVE}CudaSharedMemoryRegister": Right.MANAGEMENT,
    f"{_KSERVE}CudaSharedMemoryUnregister": Right.MANAGEMENT,
    f"{_KSERVE}ModelStatistics": Right.METRICS,
    f"{_KSERVE}RepositoryModelLoad": Right.MANAGEMENT,
    f"{_KSERVE}RepositoryModelUnload": Right.MANAGEMENT,
    f"{_KSERVE}TraceSetting": Right.MANAGEMENT,
    f"{_KSERVE}LogSettings": Right.MANAGEMENT,
    f"{_PREDICTION}Predict": Right.INFERENCE,
    f"{_PREDICTION}Classify": Right.INFERENCE,
    f"{_PREDICTION}Regress": Right.INFERENCE,
    f"{_PREDICTION}MultiInference": Right.INFERENCE,
    f"{_PREDICTION}GetModelMetadata": Right.INFERENCE,
    f"{_MODELS}GetModelStatus": Right.INFERENCE,
    f"{_MODELS}HandleReloadConfigRequest": Right.MANAGEMENT,
    "/grpc.health.v1.Health/Check": None,
    "/grpc.health.v1.Health/List": None,
    "/grpc.health.v1.Health/Watch": None,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": None,
}

# What the table does not name is refused to all but those who may do everything that matters.
UNNAMED = Right.MANAGEMENT

# Inference, which is told of as every other request is.
_DOORS: Mapping[str, Door] = {
    f"{_KSERVE}ModelInfer": kserve.DOOR,
    f"{_KSERVE}ModelStreamInfer": kserve.DOOR,
    f"{_PREDICTION}Predict": tfs.DOOR,
}

logger = get_logger("ovserve.grpc")


class RightsCheck:
    """Refuses calls whose key lacks the right; a refused call's message is never received, however large it is."""

    def __init__(self, keys: Keys, dataplane: DataPlane) -> None:
        self._keys = keys
        self._dataplane = dataplane

    def __call__(self, head: Head, peer: str) -> None:
        """Raise `Refused` where the call may not be made."""
        right = RIGHTS.get(head.path, UNNAMED)
        if right is None:
            return
        name = head.path.rpartition("/")[2]
        try:
            self._keys.check(_presented(head.metadata), right, name, kserve.DOOR.interface)
        except OVServeError as error:
            logger.debug("refused", rpc=head.path, peer=peer, reason=str(error))
            if head.path in _DOORS:
                self._dataplane.refused(_DOORS[head.path], error)
            raise Refused(STATUS[error.code], fitting(str(error))) from None


def _presented(metadata: Metadata) -> str | None:
    found = {name: value for name, value in metadata if isinstance(value, str)}
    return presented_key(found.get("authorization"), found.get("x-api-key"))
