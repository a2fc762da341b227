"""KServe's datatypes: their numpy dtype, their field in typed contents, their name in TensorFlow."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Datatype:
    """One KServe datatype.

    `numpy` is little-endian as on the wire; None for BYTES, and for BF16, whose numpy dtype belongs to ml_dtypes.
    `field` is the field of typed contents; None where the protocol has none.
    """

    name: str
    numpy: np.dtype[np.generic] | None
    field: str | None
    tensorflow: str


def _table(*rows: tuple[str, str | None, str | None, str]) -> dict[str, Datatype]:
    return {name: Datatype(name, np.dtype(code) if code else None, field, tf) for name, code, field, tf in rows}


DATATYPES = _table(
    ("BOOL", "?", "bool_contents", "DT_BOOL"),
    ("INT8", "i1", "int_contents", "DT_INT8"),
    ("INT16", "<i2", "int_contents", "DT_INT16"),
    ("INT32", "<i4", "int_contents", "DT_INT32"),
    ("INT64", "<i8", "int64_contents", "DT_INT64"),
    ("UINT8", "u1", "uint_contents", "DT_UINT8"),
    ("UINT16", "<u2", "uint_contents", "DT_UINT16"),
    ("UINT32", "<u4", "uint_contents", "DT_UINT32"),
    ("UINT64", "<u8", "uint64_contents", "DT_UINT64"),
    ("FP16", "<f2", None, "DT_HALF"),
    ("BF16", None, None, "DT_BFLOAT16"),
    ("FP32", "<f4", "fp32_contents", "DT_FLOAT"),
    ("FP64", "<f8", "fp64_contents", "DT_DOUBLE"),
    ("BYTES", None, "bytes_contents", "DT_STRING"),
)

_BY_NUMPY = {datatype.numpy: datatype for datatype in DATATYPES.values() if datatype.numpy is not None}


def datatype_of(dtype: np.dtype[np.generic]) -> Datatype | None:
    """The KServe datatype that carries arrays of `dtype`, or None where KServe has none."""
    if dtype.kind in "OSU":
        return DATATYPES["BYTES"]
    if dtype.name == "bfloat16":
        return DATATYPES["BF16"]
    return _BY_NUMPY.get(dtype.newbyteorder("<"))


def numpy_dtype(name: str) -> np.dtype[np.generic]:
    """The numpy dtype of arrays of KServe's datatype `name`; `object` for BYTES."""
    datatype = DATATYPES[name]
    if datatype.numpy is not None:
        return datatype.numpy
    if name == "BYTES":
        return np.dtype(object)
    import ml_dtypes  # noqa: PLC0415 - only who uses BF16 pays for it

    bfloat16: np.dtype[np.generic] = np.dtype(ml_dtypes.bfloat16)
    return bfloat16
