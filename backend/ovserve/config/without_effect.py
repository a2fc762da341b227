"""Flags of OVMS and Triton that are taken and change nothing here; the description of each says why."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ovserve.config.names import WITHOUT_EFFECT


def _two_to_ten_thousand(count: int) -> int:
    if not 2 <= count <= 10_000:  # noqa: PLR2004 - as OVMS
        raise ValueError("rest_workers count should be from 2 to 10000")
    return count


_Count: TypeAlias = Annotated[int | None, Field(ge=0), WITHOUT_EFFECT]
_Switch: TypeAlias = Annotated[bool, WITHOUT_EFFECT]


class WithoutEffect(BaseModel):
    """A value that is the default says nothing; a wrong one is refused all the same."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    rest_workers: Annotated[Annotated[int, AfterValidator(_two_to_ten_thousand)] | None, WITHOUT_EFFECT] = Field(
        default=None, description="one REST server has the threads of all"
    )
    grpc_max_threads: _Count = Field(
        default=None, description="there are as many threads as --nireq and --max_queue let requests in"
    )
    grpc_memory_quota: _Count = Field(
        default=None, description="--grpc_max_message_bytes, --nireq and --max_queue bound what requests hold"
    )
    custom_node_resources_cleaner_interval_seconds: _Count = Field(
        default=None, description="custom nodes are Python files and keep no resources of a library"
    )
    backend_directory: Annotated[Path | None, WITHOUT_EFFECT] = Field(
        default=None, description="OpenVINO is built in, no backends are loaded"
    )
    model_load_retry_count: _Count = Field(
        default=None, description="a failed load is tried again after 1, 2, 4, ... 60 s, in modes watch and poll"
    )
    log_warning: _Switch = Field(default=True, description="--log_level alone chooses the lines")
    log_error: _Switch = Field(default=True, description="--log_level alone chooses the lines")

    @property
    def without_effect(self) -> Iterator[str]:
        """A sentence on each flag given that changes nothing, and why."""
        for name, field in WithoutEffect.model_fields.items():
            if name in self.model_fields_set and getattr(self, name) != field.default:
                yield f"--{name} has no effect: {field.description}"
