"""Where spans go."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _collector(url: str) -> str:
    parts = urlsplit(url)
    try:
        port_is_good = parts.port != 0
    except ValueError:
        port_is_good = False
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None or not port_is_good:
        raise ValueError("expected http://HOST:PORT, or https:// for TLS")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError("spans go by OTLP over gRPC, whose addresses have no path: expected http://HOST:PORT")
    return url


class TracingFlags(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    otlp_endpoint: Annotated[str, AfterValidator(_collector)] | None = Field(
        default=None, description="Send OpenTelemetry's spans to this collector, by OTLP over gRPC."
    )
    tracing: bool = Field(default=False, description="Likewise, to where OTEL_EXPORTER_OTLP_ENDPOINT says.")

    @property
    def makes_spans(self) -> bool:
        return self.tracing or self.otlp_endpoint is not None
