"""How the instances of a model share the processor. Pure.

Each is a process of its own, whose OpenVINO believes to have the machine for itself: it would start a thread per core,
and pin those of every instance to the same cores, from the first one on.
"""

from ovserve.config.model import ModelConfig


def share(config: ModelConfig, instances: int, cores: int) -> ModelConfig:
    """Divide the threads, unless the user has; only the CPU device knows these properties."""
    if instances == 1 or config.target_device != "CPU":
        return config
    shared = {"INFERENCE_NUM_THREADS": max(1, cores // instances), "ENABLE_CPU_PINNING": False}
    return config.model_copy(update={"plugin_config": {**shared, **config.plugin_config}})
