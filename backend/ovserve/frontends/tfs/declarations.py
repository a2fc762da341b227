"""The messages of TensorFlow Serving's API, as far as this server speaks it.

Names and numbers are those of the public protocol (https://github.com/tensorflow/serving, tensorflow_serving/apis, and
https://github.com/tensorflow/tensorflow, tensorflow/core): what is left out travels as an unknown field, unread.
A field reads as in a .proto file, [repeated] TYPE NAME = NUMBER; what stands before a colon is the oneof it belongs to.
"""

ENUMS = {
    "tensorflow.DataType": """
        DT_INVALID 0, DT_FLOAT 1, DT_DOUBLE 2, DT_INT32 3, DT_UINT8 4, DT_INT16 5, DT_INT8 6, DT_STRING 7,
        DT_COMPLEX64 8, DT_INT64 9, DT_BOOL 10, DT_QINT8 11, DT_QUINT8 12, DT_QINT32 13, DT_BFLOAT16 14, DT_QINT16 15,
        DT_QUINT16 16, DT_UINT16 17, DT_COMPLEX128 18, DT_HALF 19, DT_RESOURCE 20, DT_VARIANT 21, DT_UINT32 22,
        DT_UINT64 23""",
    "tensorflow.error.Code": """
        OK 0, CANCELLED 1, UNKNOWN 2, INVALID_ARGUMENT 3, DEADLINE_EXCEEDED 4, NOT_FOUND 5, ALREADY_EXISTS 6,
        PERMISSION_DENIED 7, RESOURCE_EXHAUSTED 8, FAILED_PRECONDITION 9, ABORTED 10, OUT_OF_RANGE 11,
        UNIMPLEMENTED 12, INTERNAL 13, UNAVAILABLE 14, DATA_LOSS 15, UNAUTHENTICATED 16""",
    "tensorflow.serving.ModelVersionStatus.State": """
        UNKNOWN 0, START 10, LOADING 20, AVAILABLE 30, UNLOADING 40, END 50""",
}

# An outer message stands before its inner ones.
MESSAGES = {
    "tensorflow.TensorShapeProto": """
        repeated tensorflow.TensorShapeProto.Dim dim = 2
        bool unknown_rank = 3""",
    "tensorflow.TensorShapeProto.Dim": """
        int64 size = 1
        string name = 2""",
    "tensorflow.TensorProto": """
        tensorflow.DataType dtype = 1
        tensorflow.TensorShapeProto tensor_shape = 2
        int32 version_number = 3
        bytes tensor_content = 4
        repeated float float_val = 5
        repeated double double_val = 6
        repeated int32 int_val = 7
        repeated bytes string_val = 8
        repeated float scomplex_val = 9
        repeated int64 int64_val = 10
        repeated bool bool_val = 11
        repeated double dcomplex_val = 12
        repeated int32 half_val = 13
        repeated uint32 uint32_val = 16
        repeated uint64 uint64_val = 17""",
    "tensorflow.TensorInfo": """
        encoding: string name = 1
        tensorflow.DataType dtype = 2
        tensorflow.TensorShapeProto tensor_shape = 3""",
    "tensorflow.SignatureDef": """
        map<string, tensorflow.TensorInfo> inputs = 1
        map<string, tensorflow.TensorInfo> outputs = 2
        string method_name = 3""",
    "tensorflow.serving.ModelSpec": """
        string name = 1
        version_choice: google.protobuf.Int64Value version = 2
        version_choice: string version_label = 4
        string signature_name = 3""",
    "tensorflow.serving.PredictRequest": """
        tensorflow.serving.ModelSpec model_spec = 1
        map<string, tensorflow.TensorProto> inputs = 2
        repeated string output_filter = 3""",
    "tensorflow.serving.PredictResponse": """
        map<string, tensorflow.TensorProto> outputs = 1
        tensorflow.serving.ModelSpec model_spec = 2""",
    "tensorflow.serving.SignatureDefMap": """
        map<string, tensorflow.SignatureDef> signature_def = 1""",
    "tensorflow.serving.GetModelMetadataRequest": """
        tensorflow.serving.ModelSpec model_spec = 1
        repeated string metadata_field = 2""",
    "tensorflow.serving.GetModelMetadataResponse": """
        tensorflow.serving.ModelSpec model_spec = 1
        map<string, google.protobuf.Any> metadata = 2""",
    "tensorflow.serving.StatusProto": """
        tensorflow.error.Code error_code = 1
        string error_message = 2""",
    "tensorflow.serving.ModelVersionStatus": """
        int64 version = 1
        tensorflow.serving.ModelVersionStatus.State state = 2
        tensorflow.serving.StatusProto status = 3""",
    "tensorflow.serving.GetModelStatusRequest": """
        tensorflow.serving.ModelSpec model_spec = 1""",
    "tensorflow.serving.GetModelStatusResponse": """
        repeated tensorflow.serving.ModelVersionStatus model_version_status = 1""",
}

# The methods that are answered; the others of these services (UNSUPPORTED) are refused without a look at the message.
SERVICES = {
    "tensorflow.serving.PredictionService": ("Predict", "GetModelMetadata"),
    "tensorflow.serving.ModelService": ("GetModelStatus",),
}
UNSUPPORTED = {
    "tensorflow.serving.PredictionService": ("Classify", "Regress", "MultiInference"),
    "tensorflow.serving.ModelService": ("HandleReloadConfigRequest",),
}
