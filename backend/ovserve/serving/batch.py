"""How many are in the batch of a request. Pure."""

from collections.abc import Mapping

from ovserve.config.model import ModelConfig
from ovserve.tensors import Tensor


def size(config: ModelConfig, inputs: Mapping[str, Tensor]) -> int:
    """Tell the first dimension where config.pbtxt has a max_batch_size, else 1 (Triton)."""
    if config.declared is None or config.declared.max_batch_size == 0 or not inputs:
        return 1
    return next(iter(inputs.values())).shape[0]
