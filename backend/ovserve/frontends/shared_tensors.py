"""Tensors that a request leaves in shared memory, whatever the protocol that says where."""

from ovserve import tensor_bytes
from ovserve.errors import WrongContent
from ovserve.frontends.limits import MOST_BYTES
from ovserve.shared_memory import Window
from ovserve.shared_tensor import SharedTensor
from ovserve.tensors import DType, Shape, Tensor


def tensor_at(place: Window, dtype: DType, shape: Shape, label: str) -> Tensor:
    """Make an input of what lies there; numbers are read when somebody needs them, strings at once.

    Raises `WrongContent`, which begins with `label`, for another number of bytes than the shape takes, and
    `RegionChanged`.
    """
    if place.byte_size > MOST_BYTES:
        raise WrongContent(f"{label} has {place.byte_size} bytes, expected at most {MOST_BYTES}")
    tensor_bytes.check_length(place.byte_size, dtype, shape, label)
    if dtype is DType.BYTES:
        return Tensor(dtype, tensor_bytes.read(place.read(), dtype, shape, label))
    return SharedTensor(dtype, shape, place)


def put(tensor: Tensor, place: Window, label: str) -> int:
    """Copy an output to where it shall go, unless the model has left it there, and tell how many bytes it takes.

    Raises `InvalidInput`, which begins with `label` where it does not fit.
    """
    if isinstance(tensor, SharedTensor) and tensor.window is place:
        return tensor.nbytes
    data = tensor_bytes.view(tensor)
    place.write(data, label)
    return len(data)
