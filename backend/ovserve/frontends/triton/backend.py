"""What Triton's Python backend asks of a model, answered by ours.

`pb` is the module `triton_python_backend_utils`, which exists only in the processes that Triton starts.
"""

import json
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from ovserve.config.declared import TritonConfig, WrongTritonConfig
from ovserve.config.triton import DONE_BY_TRITON, read_triton, to_model_config
from ovserve.cores import usable_cores
from ovserve.engine.openvino import Engine
from ovserve.errors import InferenceFailed, OVServeError, Unsupported
from ovserve.frontends.triton import logs, tensors
from ovserve.frontends.triton.instances import share
from ovserve.frontends.triton.status import failure
from ovserve.observability.logs import get_logger
from ovserve.requests import InferRequest, Patient
from ovserve.serving import agreement
from ovserve.serving.decoding_turns import make_decoding_turns
from ovserve.serving.loader import load_version
from ovserve.serving.servable import Servable

logger = get_logger("ovserve.triton")


def complete(pb: Any, configuration: Any) -> Any:
    """Add to Triton's `configuration` what it leaves to the model; returns it, or the exception to raise."""
    logs.silence()
    document = configuration.as_dict()
    try:
        config = read_triton(document, DONE_BY_TRITON)
        metadata = _load(pb, config, version=1).metadata
    except Exception as error:  # noqa: BLE001 - told as a refusal, and logged whole
        return _refusal(pb, document["name"], error)
    # Not add_input: it refuses a declaration that says less than the model, -1 for instance.
    for key, declared, specs in (
        ("input", config.inputs, metadata.inputs),
        ("output", config.outputs, metadata.outputs),
    ):
        added = agreement.missing(declared, specs, config.max_batch_size)
        names = {tensor["name"] for tensor in added}
        document[key] = [*(tensor for tensor in document[key] if tensor["name"] not in names), *added]
    if config.max_batch_size > 1 and not config.has_scheduler:
        configuration.set_dynamic_batching()
    return configuration


def open_backend(pb: Any, args: Mapping[str, str]) -> "Backend | Exception":
    """Load the model of one instance; returns it, or the exception to raise."""
    logs.forward(pb)
    name = args["model_name"]
    try:
        _check_arrays(pb)
        config = read_triton(json.loads(args["model_config"]), DONE_BY_TRITON)
        model = _load(pb, config, int(args["model_version"]))
    except Exception as error:  # noqa: BLE001 - told as a refusal, and logged whole
        return _refusal(pb, name, error)
    for sentence in config.warnings:
        logger.warning(sentence, model=name)
    return Backend(pb, model)


def _check_arrays(pb: Any) -> None:
    if not tensors.carries_arrays(pb):
        raise Unsupported(
            f"this Triton does not carry the arrays of NumPy {np.__version__}, they would come back empty: "
            f"install 'numpy<2' for the Python that its stub runs"
        )


def _load(pb: Any, config: TritonConfig, version: int) -> Servable:
    place = Path(pb.get_model_dir()) / config.file_name
    if not place.exists():
        raise WrongTritonConfig(f"default_model_filename '{config.file_name}' is not there")
    wanted = share(to_model_config(config, place), config.instances, usable_cores())
    model = load_version(Engine(), make_decoding_turns(), wanted, version, place)
    agreement.check(config, model.metadata)
    return model


def _refusal(pb: Any, name: str, error: Exception) -> Exception:
    """Say in one sentence why a model is not served; a fault of ours goes to the log whole."""
    if not isinstance(error, WrongTritonConfig | OVServeError):
        logger.error("internal error", model=name, exc_info=error)
        error = OVServeError(f"internal error while loading: {type(error).__name__}")
    refusal: Exception = pb.TritonModelException(f"unable to load model '{name}': {error}")
    return refusal


class Backend:
    """One instance: runs as many requests at once as the model has slots, and leaves the others in Triton's queue."""

    def __init__(self, pb: Any, model: Servable) -> None:
        self._pb = pb
        self._model = model
        self._specs = {spec.name: spec for spec in model.metadata.inputs}
        self._threads = ThreadPoolExecutor(model.slots, thread_name_prefix="infer")
        self._turns = threading.Semaphore(model.slots)

    def execute(self, requests: Sequence[Any]) -> list[Any] | None:
        """Answer `requests`, each as soon as it is done; returns when all have at least begun.

        A Triton that knows only answers given together gets them as a list.
        """
        try:
            senders = [request.get_response_sender() for request in requests]
        except self._pb.TritonModelException:
            return list(self._threads.map(self._answer, requests))
        for request, sender in zip(requests, senders, strict=True):
            self._turns.acquire()
            self._threads.submit(self._send, request, sender)
        return None

    def close(self) -> None:
        """Wait for what has begun."""
        self._threads.shutdown()

    def _send(self, request: Any, sender: Any) -> None:
        try:
            final = self._pb.TRITONSERVER_RESPONSE_COMPLETE_FINAL
            try:
                sender.send(self._answer(request), flags=final)
            except self._pb.TritonModelException as error:  # no room in the memory shared with Triton
                logger.error("an answer could not be sent", model=self._model.metadata.name, cause=str(error))
                sender.send(failure(self._pb, InferenceFailed("the answer could not be sent")), flags=final)
        finally:
            self._turns.release()

    def _answer(self, request: Any) -> Any:
        try:
            metadata = self._model.metadata
            inputs = tensors.read(request.inputs(), self._specs)
            wanted = InferRequest(
                metadata.name, inputs, metadata.version, frozenset(request.requested_output_names()) or None
            )
            response = self._model.infer(wanted, Patient())
            return self._pb.InferenceResponse(
                [tensors.write(self._pb, name, tensor) for name, tensor in response.outputs.items()]
            )
        except OVServeError as error:
            return failure(self._pb, error)
        except Exception:
            # The last line of defence: without a response the client would wait for ever.
            logger.exception("internal error", model=self._model.metadata.name)
            return failure(self._pb, OVServeError("internal error: Triton's log has the details"))
