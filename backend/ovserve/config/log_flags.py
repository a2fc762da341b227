"""What is logged, and where."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ovserve.config.names import also

LogLevel = Literal["TRACE", "DEBUG", "INFO", "WARNING", "ERROR"]


class Logging(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    log_level: LogLevel = Field(default="INFO", description="The least important lines to log.")
    log_verbose: int = Field(default=0, ge=0, description="Triton's: from 1 on as --log_level DEBUG.")
    log_info: bool = Field(default=True, description="Triton's: false as --log_level WARNING.")
    log_format: Literal["console", "json"] = Field(default="console", description="How log lines look.")
    log_path: Annotated[Path | None, also("log-file")] = Field(
        default=None, description="File to append the log to, beside standard error."
    )
    log_requests: bool = Field(
        default=False,
        description="Write a line on every inference request: what came, how long it took, the code.",
    )

    @model_validator(mode="after")
    def _one_level(self) -> "Logging":
        if "log_level" in self.model_fields_set and self.least_level != self.log_level:
            name = "log_verbose" if self.log_verbose else "log_info"
            value = str(getattr(self, name)).lower()
            raise ValueError(f"--log_level {self.log_level} and --{name} {value} contradict each other: give one")
        return self

    @property
    def least_level(self) -> LogLevel:
        """The level in force, by whichever name it was given."""
        if self.log_verbose:
            return "TRACE" if self.log_level == "TRACE" else "DEBUG"
        return self.log_level if self.log_info or self.log_level == "ERROR" else "WARNING"
