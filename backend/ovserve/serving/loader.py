"""Makes a served version of a model from its files."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ovserve.config.declared import TritonConfig, WrongTritonConfig
from ovserve.config.model import ModelConfig
from ovserve.engine.openvino import Engine, LoadedModel
from ovserve.engine.python_backend.instance import Host, Instance
from ovserve.engine.python_backend.isolated.load_isolated import load_isolated
from ovserve.engine.python_backend.load_python import load_instances
from ovserve.errors import LoadFailed
from ovserve.observability.logs import get_logger
from ovserve.repository.layout import ModelFiles, find_files
from ovserve.repository.mapping import NameMapping, read_mapping
from ovserve.serving import agreement
from ovserve.serving.decoding_turns import DecodingTurns
from ovserve.serving.host import Hosts
from ovserve.serving.labels import read_labels
from ovserve.serving.model import Model
from ovserve.serving.python import PythonServable
from ovserve.serving.sequences import KeepsSequences
from ovserve.serving.sequencing import CannotKeepState, Sequencing
from ovserve.serving.servable import Servable
from ovserve.serving.warm_up import warm_up
from ovserve.tensors import Dim

logger = get_logger("ovserve.load")


def load_version(
    engine: Engine,
    turns: DecodingTurns,
    config: ModelConfig,
    version: int,
    place: Path,
    *,
    hosts: Hosts | None = None,
    sequencing: Sequencing | None = None,
    private_weights: Path | None = None,
) -> Servable:
    """Load the version that lies in `place`, a folder or a file; raises `LoadFailed` with the cause.

    Without `hosts` Python models know of no others. `private_weights` are a copy of the model's, to be mapped.
    """
    declared = config.declared
    if declared is not None and declared.document.get("backend") == "python":
        file = place / (declared.file_name or "model.py") if place.is_dir() else place
        host = None if hosts is None else hosts.make(config.name)
        instances = _python_instances(file, config, declared, version, host)
        graph = None if hosts is None else hosts.graph
        served = PythonServable(config, version, instances, read_labels(config), graph)
        warm_up(served, declared.warm_up, config.base_path)
        served.statistics.forget()
        return served
    files = replace(find_model_files(config, place), private_weights=private_weights)
    loaded = _in_any_batch(engine, files, read_mapping(files.folder), config)
    try:
        model = (sequencing or Sequencing()).make(config, version, loaded, turns)
    except CannotKeepState as error:
        raise LoadFailed(str(error), place) from error
    return _checked(loaded, model, place)


def find_model_files(config: ModelConfig, place: Path) -> ModelFiles:
    """Find what OpenVINO reads for a version; raises `LoadFailed`."""
    return find_files(place / config.declared.file_name if config.declared is not None else place)


def _python_instances(
    file: Path, config: ModelConfig, declared: TritonConfig, version: int, host: Host | None
) -> Sequence[Instance]:
    name = config.name
    if config.python_model_isolation == "in_process":
        return load_instances(file, declared, name=name, version=version, host=host)
    stuck_s = config.python_model_stuck_seconds
    return load_isolated(file, declared, name=name, version=version, host=host, stuck_s=stuck_s)


def _checked(loaded: LoadedModel, model: Model, place: Path) -> Model:
    """Hold `model` against its configuration, warm it up, and tell the log what is to be known of it."""
    config, version, declared = model.config, model.metadata.version, model.config.declared
    if declared is not None:
        try:
            agreement.check(declared, model.metadata)
        except WrongTritonConfig as error:
            raise LoadFailed(f"config.pbtxt: {error}", place) from error
        warm_up(model, declared.warm_up, config.base_path)
        model.statistics.forget()
    unkept = _unkept(loaded.variables) if loaded.variables and not isinstance(model, KeepsSequences) else None
    for sentence in filter(None, (*loaded.warnings, loaded.note, unkept)):
        logger.warning(sentence, model=config.name, version=version)
    return model


def _unkept(variables: Sequence[str]) -> str:
    return (
        f"the model has variables ({', '.join(variables):.200}), which begin anew with each request: "
        f"'stateful', or sequence_batching in a config.pbtxt, keeps them for each sequence"
    )


def _in_any_batch(engine: Engine, files: ModelFiles, mapping: NameMapping, config: ModelConfig) -> LoadedModel:
    """Load a model for all batches up to its max_batch_size or, where it takes no others, for that one (Triton)."""
    most = 0 if config.declared is None else config.declared.max_batch_size
    try:
        return engine.load(files, mapping, config)
    except LoadFailed as refused:
        if most <= 1 or config.batch_size != Dim(1, most):
            raise
        try:
            return engine.load(files, mapping, config.model_copy(update={"batch_size": Dim(most, most)}))
        except LoadFailed:
            raise refused from None
