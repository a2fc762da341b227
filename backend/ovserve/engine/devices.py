"""Which device runs a model where nobody says."""

from typing import Any

from openvino.properties import device

_GPU = "GPU"
_CPU = "CPU"


def pick(core: Any) -> str:
    """Name a discrete GPU, else an integrated one, else the CPU; as OVMS (spec A.2)."""
    gpus = [name for name in core.available_devices if name.partition(".")[0] == _GPU]
    discrete = [name for name in gpus if core.get_property(name, device.type()) == device.Type.DISCRETE]
    return next(iter((*discrete, *gpus)), _CPU)
