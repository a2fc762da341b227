"""When models are loaded, how changes are noticed, and what a model that fails means to the server."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ovserve.config.names import also

ControlMode = Literal["watch", "poll", "explicit", "none"]

_MOST_LOADS = 128
_MOST_MINUTES = 2**32 - 1  # as OVMS


class Loading(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model_control_mode: ControlMode = Field(
        default="watch",
        description="How changes on disk are noticed: by events, at intervals, on request only, or not at all.",
    )
    load_model: tuple[str, ...] = Field(
        default=(), description="Model to load at start in mode explicit; may be repeated, * for all."
    )
    file_system_poll_wait_seconds: Annotated[float, also("repository-poll-secs")] = Field(
        default=1,
        ge=0,
        allow_inf_nan=False,
        description="Seconds between looks where events do not tell of changes; 0: never look again.",
    )
    model_load_thread_count: int = Field(default=4, ge=1, le=_MOST_LOADS, description="Models that load at once.")
    load_wait_seconds: float = Field(
        default=0,
        ge=0,
        allow_inf_nan=False,
        description="Seconds a request may wait for a model that is still loading; 0: it is refused at once.",
    )
    sequence_cleaner_poll_wait_minutes: int = Field(
        default=5,
        ge=0,
        le=_MOST_MINUTES,
        description="Minutes between looks for idle sequences, and that one of OVMS's kind may be idle; 0: for ever.",
    )
    exit_on_error: bool = Field(
        default=False, description="End at start if any model cannot be loaded, instead of serving the others."
    )
    strict_readiness: bool = Field(
        default=False, description="Be ready only while every model is, instead of once the first loads have ended."
    )
    model_config_name: str | None = Field(
        default=None,
        pattern=r"^[^/\x00]+$",
        description="Read configs/NAME.pbtxt of a model in place of its config.pbtxt, where there is one.",
    )
    disable_auto_complete_config: bool = Field(
        default=False, description="Refuse a model without a config.pbtxt that declares its inputs and outputs."
    )
    allow_remote_management: bool = Field(
        default=False, description="Let models be loaded and unloaded by request where other machines can ask."
    )
    allow_code_upload: bool = Field(default=False, description="Take Python files with a request to load a model.")
    allow_symlinks: bool = Field(default=False, description="Follow links that lead out of the repository.")

    @model_validator(mode="after")
    def _models_to_load_need_mode_explicit(self) -> "Loading":
        if self.load_model and self.model_control_mode != "explicit":
            raise ValueError("--load_model is for --model_control_mode explicit: in other modes every model is loaded")
        return self

    @property
    def control_mode(self) -> ControlMode:
        """The mode in force: without looks at intervals there is nothing that could notice a change (as OVMS)."""
        is_off = self.file_system_poll_wait_seconds == 0 and self.model_control_mode in {"watch", "poll"}
        return "none" if is_off else self.model_control_mode
