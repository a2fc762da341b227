"""Loads a model from its Python file, each instance in a process of its own."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from ovserve.config.declared import TritonConfig
from ovserve.config.model import STUCK_S
from ovserve.engine.python_backend.alone import Alone
from ovserve.engine.python_backend.auto_complete import ModelConfig as Completable
from ovserve.engine.python_backend.instance import Host
from ovserve.engine.python_backend.instance_names import instance_names
from ovserve.engine.python_backend.isolated.process_instance import ProcessInstance
from ovserve.engine.python_backend.isolated.session import Part
from ovserve.errors import LoadFailed

_AT_ONCE = 4


def load_isolated(
    file: Path,
    config: TritonConfig,
    *,
    name: str,
    version: int,
    host: Host | None = None,
    stuck_s: float = STUCK_S,
) -> list[ProcessInstance]:
    """Load the instances that the completed configuration asks for; raises `LoadFailed` with the cause.

    The first completes the configuration; see `ProcessInstance` for `stuck_s`. Without a `host` there are no other
    models.
    """
    if not file.is_file():
        raise LoadFailed(f"'{file.name}' is not there", file)
    host = host or Alone()
    document = Completable(name, config.document).as_dict() if config.is_completed else config.document
    whole = Part(file.absolute(), name, version, document, is_completed=config.is_completed)
    first = ProcessInstance(whole, host, stuck_s=stuck_s)
    part = Part(file.absolute(), name, version, first.document, is_completed=True)
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="python-start") as threads:
        others = [
            threads.submit(ProcessInstance, replace(part, instance=instance), host, stuck_s=stuck_s)
            for instance in instance_names(first.document, name)[1:]
        ]
    failed = next((error for other in others if (error := other.exception()) is not None), None)
    if failed is None:
        return [first, *(other.result() for other in others)]
    first.close()
    for other in others:
        if other.exception() is None:
            other.result().close()
    raise failed
