"""Uses OpenVINO's Python bindings once, alone, before threads do.

The bindings set themselves up at first use, behind a lock that they take while holding the GIL and under which they
want the GIL again: two threads that read a tensor's `data` for the first time at once wait for each other for ever
(seen with OpenVINO 2026.4.1: the process stands still, with `npy_api` and `__cxa_guard_acquire` on the stacks).

And each core's CPU plug-in gives the thread that makes it an alternate stack for signals, of 8 KiB and what one signal
takes there, which is 3 KiB with AVX-512 and 11 KiB with AMX. In the main thread three signals at the same instant, with
AMX two, would end the process (SIGSEGV). So it is made in a thread that hears no signals.
"""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import openvino as ov
from openvino import opset15

from ovserve.tensors import DType

_lock = threading.Lock()
_done = threading.Event()


def settle(core: ov.Core) -> None:
    """Make a core's CPU plug-in, and walk once, in one thread, through every call that requests make."""
    with _lock, ThreadPoolExecutor(1, thread_name_prefix="settle") as executor:
        executor.submit(_settle, core).result()


def _settle(core: ov.Core) -> None:
    core.get_property("CPU", "FULL_DEVICE_NAME")
    if not _done.is_set():
        _touch_tensors()
        _touch_requests(core)
        _done.set()


def _touch_tensors() -> None:
    for dtype in DType:
        if dtype is not DType.BYTES:
            kind = getattr(ov.Type, dtype.openvino)
            for tensor in (
                ov.Tensor(kind, ov.Shape([1])),
                ov.Tensor(np.zeros(1, dtype.numpy), ov.Shape([1]), kind),
            ):
                tensor.data.view(dtype.numpy)


def _touch_requests(core: ov.Core) -> None:
    parameter = opset15.parameter([-1], ov.Type.f32)
    model = ov.Model([opset15.result(opset15.relu(parameter))], [parameter], "first_use")
    request = core.compile_model(model, "CPU").create_infer_request()
    request.set_input_tensor(0, ov.Tensor(np.zeros(1, np.float32), ov.Shape([1]), ov.Type.f32))
    request.start_async()
    request.wait()
    request.get_output_tensor(0).data.copy()
    request.infer(share_outputs=True).to_tuple()
