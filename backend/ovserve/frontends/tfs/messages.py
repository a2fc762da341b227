"""TensorFlow Serving's messages as classes."""

from collections.abc import Iterator
from typing import Any

from google.protobuf.message_factory import GetMessageClass

from ovserve.frontends.tfs.declarations import MESSAGES
from ovserve.frontends.tfs.descriptors import WELL_KNOWN, make_pool

POOL: Any = make_pool()


def _with_inner(descriptor: Any) -> Iterator[Any]:
    yield descriptor
    for inner in descriptor.nested_types:
        yield from _with_inner(inner)


# Nobody else keeps what belongs to a pool of one's own: protobuf makes a class when a message of it is first met, and
# the garbage collector took it while another thread was using it, which ended the process (protobuf 6.33).
_KEPT = [
    (GetMessageClass(descriptor), tuple(descriptor.fields))
    for name in (*MESSAGES, *WELL_KNOWN)
    for descriptor in _with_inner(POOL.FindMessageTypeByName(name))
]


def _message(name: str) -> Any:
    return GetMessageClass(POOL.FindMessageTypeByName(name))


TensorProto = _message("tensorflow.TensorProto")
SignatureDefMap = _message("tensorflow.serving.SignatureDefMap")
PredictRequest = _message("tensorflow.serving.PredictRequest")
PredictResponse = _message("tensorflow.serving.PredictResponse")
GetModelMetadataRequest = _message("tensorflow.serving.GetModelMetadataRequest")
GetModelMetadataResponse = _message("tensorflow.serving.GetModelMetadataResponse")
GetModelStatusRequest = _message("tensorflow.serving.GetModelStatusRequest")
GetModelStatusResponse = _message("tensorflow.serving.GetModelStatusResponse")

DATA_TYPE: Any = POOL.FindEnumTypeByName("tensorflow.DataType")
ERROR_CODE: Any = POOL.FindEnumTypeByName("tensorflow.error.Code")
