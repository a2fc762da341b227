"""How one model is to be served."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

PluginConfig = dict[str, str | bool | int | float]

MAX_NIREQ = 100_000  # as OVMS (spec A.2)
WAITING_PER_SLOT = 16


class ModelConfig(BaseModel):
    """One model's settings; names and meanings as OVMS's (spec A.2), max_queue and queue_timeout are our own."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    name: str = Field(min_length=1)
    base_path: Path
    target_device: str = "CPU"
    plugin_config: PluginConfig = Field(default_factory=dict)
    nireq: int = Field(default=0, ge=0, le=MAX_NIREQ, description="0: as many as the device finds optimal")
    max_queue: int | None = Field(default=None, ge=0, description="None: 16 x nireq")
    queue_timeout: float = Field(default=0, ge=0, description="seconds; 0: until the request's own deadline")

    def queue_for(self, slots: int) -> int:
        """How many requests may wait for `slots` slots."""
        return WAITING_PER_SLOT * slots if self.max_queue is None else self.max_queue
