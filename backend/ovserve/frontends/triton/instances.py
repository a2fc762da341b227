"""How the instances of a model share the processor. Pure.

Each is a process of its own, whose OpenVINO believes to have the machine for itself and would start a thread per core.
"""

from ovserve.config.model import ModelConfig


def share(config: ModelConfig, instances: int, cores: int) -> ModelConfig:
    """Divide the threads, unless the user has; only the CPU device knows the property."""
    if instances == 1 or config.target_device != "CPU":
        return config
    shared = {"INFERENCE_NUM_THREADS": max(1, cores // instances)}
    return config.model_copy(update={"plugin_config": {**shared, **config.plugin_config}})
