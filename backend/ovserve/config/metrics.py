"""Which metrics are shown (spec H)."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

SHOWN = (
    "ovms_requests_success",
    "ovms_requests_fail",
    "ovms_request_time_us",
    "ovms_inference_time_us",
    "ovms_wait_for_infer_req_time_us",
    "ovms_streams",
    "ovms_current_requests",
)
ON_DEMAND = ("ovms_infer_req_queue_size", "ovms_infer_req_active")
# OVMS has them for MediaPipe graphs, which are not served: known, and never with a value.
_OF_GRAPHS = (
    "ovms_current_graphs",
    "ovms_requests_accepted",
    "ovms_requests_rejected",
    "ovms_responses",
    "ovms_graph_error",
    "ovms_graph_processing_time_us",
)


def check_families(names: tuple[str, ...]) -> tuple[str, ...]:
    """Raise `ValueError` for a name that is none of OVMS's."""
    known = (*SHOWN, *ON_DEMAND, *_OF_GRAPHS)
    for name in names:
        if name not in known:
            raise ValueError(f"Invalid name in metrics_list: '{name}' is none of {', '.join(known)}")
    return names


def _listed(text: str) -> str:
    check_families(_split(text))
    return text


def _split(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


class MetricsFlags(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    metrics_enable: bool = Field(default=False, description="Show metrics for Prometheus at /metrics of the REST port.")
    metrics_list: Annotated[str, AfterValidator(_listed)] = Field(
        default="", description="Names of the metrics to show, separated by commas; default OVMS's own choice."
    )
    triton_metrics: bool = Field(default=False, description="Show Triton's metrics, nv_inference_..., too.")

    @model_validator(mode="after")
    def _what_is_chosen_is_shown(self) -> "MetricsFlags":
        for name in ("metrics_list", "triton_metrics"):
            if getattr(self, name) and not self.metrics_enable:
                raise ValueError(f"metrics_enable setting is missing, required when {name} is provided")
        return self

    @property
    def families(self) -> tuple[str, ...]:
        return _split(self.metrics_list) or SHOWN
