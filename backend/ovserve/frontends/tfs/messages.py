"""TensorFlow Serving's messages as classes."""

from typing import Any

from google.protobuf.message_factory import GetMessageClass

from ovserve.frontends.tfs.descriptors import make_pool

POOL: Any = make_pool()


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
