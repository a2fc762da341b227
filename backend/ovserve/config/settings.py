"""The server's settings: what the command line, the environment and `ovserve.load` take, under the same names."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ovserve.config.model_flags import ModelFlags

GIB = 1 << 30

ControlMode = Literal["watch", "poll", "explicit", "none"]

_HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
_LOOKS_LIKE_AN_IP = re.compile(r"[0-9A-Fa-f.:]+")


def _several(value: Any) -> Any:
    """Take one where there may be several."""
    return (value,) if isinstance(value, str | Path) else value


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _addresses(value: str) -> str:
    for address in value.split(","):
        host = address.strip()
        if _LOOKS_LIKE_AN_IP.fullmatch(host):
            ipaddress.ip_address(host)  # its ValueError says what is wrong
        elif len(host) > 255 or not _HOST.fullmatch(host):  # noqa: PLR2004 - RFC 1035
            raise ValueError(f"'{host}' is neither a host name nor an IP address")
    return value


class Source(BaseModel):
    """Which models, and where they are asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model_repository: Annotated[tuple[Path, ...] | None, BeforeValidator(_several)] = Field(
        default=None,
        description="Folder of models, NAME/VERSION/model.xml (or .onnx, .pdmodel, .pb, .tflite); may be repeated.",
    )
    model_name: str | None = Field(default=None, min_length=1, description="Name of the one model to serve.")
    model_path: Path | None = Field(
        default=None, description="The one model: its folder with or without version folders, or its file."
    )
    config_path: Path | None = Field(
        default=None, description="OVMS's config.json that lists the models to serve, or the folder it lies in."
    )
    port: Annotated[int, Field(ge=0, le=65535)] | Literal["auto"] = Field(
        default=9000, description="gRPC port; auto picks a free one and prints it, 0 turns gRPC off."
    )
    grpc_bind_address: Annotated[str, AfterValidator(_addresses)] = Field(
        default="127.0.0.1", description="Addresses to listen on, separated by commas; 0.0.0.0 opens to everybody."
    )


class Settings(ModelFlags, Source):
    """Everything that can be set, with OVMS's or Triton's name where they have one."""

    cache_dir: Path | None = Field(default=None, description="Folder that keeps compiled models between starts.")
    grpc_max_message_bytes: int = Field(
        default=GIB, ge=1024, le=2 * GIB - 1, description="Largest gRPC message, in and out."
    )
    model_control_mode: ControlMode = Field(
        default="watch",
        description="How changes on disk are noticed: by events, at intervals, on request only, or not at all.",
    )
    load_model: tuple[str, ...] = Field(
        default=(), description="Model to load at start in mode explicit; may be repeated, * for all."
    )
    file_system_poll_wait_seconds: float = Field(
        default=1,
        ge=0,
        allow_inf_nan=False,
        description="Seconds between looks where events do not tell of changes; 0: never look again.",
    )
    allow_remote_management: bool = Field(
        default=False, description="Let models be loaded and unloaded by request where other machines can ask."
    )
    allow_code_upload: bool = Field(default=False, description="Take Python files with a request to load a model.")
    allow_symlinks: bool = Field(default=False, description="Follow links that lead out of the repository.")
    exit_timeout_secs: float = Field(
        default=30,
        ge=0,
        allow_inf_nan=False,
        description="Seconds that requests in flight may take when the server stops.",
    )
    log_level: Literal["TRACE", "DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="The least important lines to log."
    )
    log_format: Literal["console", "json"] = Field(default="console", description="How log lines look.")

    @model_validator(mode="after")
    def _one_source_of_models(self) -> "Settings":
        one_model = (self.model_name, self.model_path)
        sources = (self.model_repository, self.model_name or self.model_path, self.config_path)
        if sum(source is not None for source in sources) != 1 or (None in one_model and one_model != (None, None)):
            raise ValueError("use one of: --model_repository, --config_path, or --model_name with --model_path")
        return self

    @model_validator(mode="after")
    def _a_config_file_speaks_alone(self) -> "Settings":
        for name in ModelFlags.model_fields if self.config_path is not None else ():
            if name in self.model_fields_set and getattr(self, name) != Settings.model_fields[name].get_default(
                call_default_factory=True
            ):
                raise ValueError(f"--{name} cannot be used with --config_path: set {name} in that file, model by model")
        return self

    @model_validator(mode="after")
    def _some_door(self) -> "Settings":
        if self.port == 0:
            raise ValueError("--port 0 turns gRPC off, and there is no other way in: give a port, or auto")
        return self

    @model_validator(mode="after")
    def _models_to_load_need_mode_explicit(self) -> "Settings":
        if self.load_model and self.model_control_mode != "explicit":
            raise ValueError("--load_model is for --model_control_mode explicit: in other modes every model is loaded")
        return self

    @property
    def is_local(self) -> bool:
        """Whether only this machine can ask: every address is a loopback one."""
        return all(map(_is_loopback, self.grpc_addresses))

    @property
    def control_mode(self) -> ControlMode:
        """The mode in force: without looks at intervals there is nothing that could notice a change (as OVMS)."""
        is_off = self.file_system_poll_wait_seconds == 0 and self.model_control_mode in {"watch", "poll"}
        return "none" if is_off else self.model_control_mode

    @property
    def grpc_addresses(self) -> tuple[str, ...]:
        return tuple(address.strip() for address in self.grpc_bind_address.split(","))
