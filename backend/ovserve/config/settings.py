"""The server's settings: what the command line, the environment and `ovserve.load` take, under the same names."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from ovserve.config.listening import Listening
from ovserve.config.loading import Loading
from ovserve.config.log_flags import Logging
from ovserve.config.metrics import MetricsFlags
from ovserve.config.model_flags import ModelFlags
from ovserve.config.security_flags import SecurityFlags
from ovserve.config.source import Source
from ovserve.config.tracing import TracingFlags
from ovserve.config.without_effect import WithoutEffect


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise ValueError(f"File path provided as an --cpu_extension parameter does not exist in the filesystem: {path}")
    return path


class Settings(
    WithoutEffect, Logging, TracingFlags, MetricsFlags, Loading, SecurityFlags, Listening, ModelFlags, Source
):
    """Everything that can be set, with OVMS's or Triton's name where they have one."""

    cpu_extension: Annotated[Path, AfterValidator(_existing)] | None = Field(
        default=None, description="Library with operations of your own for models to use."
    )
    cache_dir: Path | None = Field(default=None, description="Folder that keeps compiled models between starts.")
    cores: int | None = Field(
        default=None,
        ge=1,
        description="Cores that all models use together; default all that the process may use.",
    )
    exit_timeout_secs: float = Field(
        default=30,
        ge=0,
        allow_inf_nan=False,
        description="Seconds that requests in flight may take when the server stops.",
    )

    @model_validator(mode="after")
    def _a_config_file_speaks_alone(self) -> "Settings":
        for name in ModelFlags.model_fields if self.config_path is not None else ():
            if name in self.model_fields_set and getattr(self, name) != Settings.model_fields[name].get_default(
                call_default_factory=True
            ):
                raise ValueError(f"--{name} cannot be used with --config_path: set {name} in that file, model by model")
        return self

    @model_validator(mode="after")
    def _metrics_need_a_port(self) -> "Settings":
        if self.metrics_enable and not self.rest_port:
            raise ValueError("rest_port setting is missing, metrics are enabled on rest port")
        return self

    @model_validator(mode="after")
    def _workers_need_a_port(self) -> "Settings":
        if self.rest_workers is not None and not self.rest_port:
            raise ValueError(
                "rest_workers is set but rest_port is not set. rest_port is required to start rest servers"
            )
        return self

    @model_validator(mode="after")
    def _config_pbtxt_lies_in_a_repository(self) -> "Settings":
        for name in ("model_config_name", "disable_auto_complete_config"):
            if getattr(self, name) and self.model_repository is None:
                raise ValueError(f"--{name} is for --model_repository: elsewhere no config.pbtxt is read")
        return self
