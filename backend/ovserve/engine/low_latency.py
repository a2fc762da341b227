"""OVMS's low_latency_transformation: a model that goes over a whole sequence itself, to be asked step by step."""

import openvino as ov
from openvino.passes import LowLatency2, Manager

from ovserve.engine.reasons import reason
from ovserve.engine.refused import Refused


def step_by_step(model: ov.Model) -> None:
    """Turn what loops in `model` (TensorIterator, Loop) carry from step to step into its variables; `Refused`."""
    names = [(port, port.get_names()) for port in (*model.inputs, *model.outputs)]
    manager = Manager()
    manager.register_pass(LowLatency2())
    try:
        manager.run_passes(model)
    except RuntimeError as error:
        raise Refused(f"low_latency_transformation: {reason(error)}") from error
    for port, own in names:
        port.get_tensor().set_names(own)  # unrolling a loop adds the names inside of it
