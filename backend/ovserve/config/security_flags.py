"""Who may come in: certificates and keys."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ovserve.config.names import also


class SecurityFlags(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    tls_cert: Annotated[Path | None, also("grpc-server-cert")] = Field(
        default=None, description="PEM file of the server's certificate and its chain; read again when it changes."
    )
    tls_key: Annotated[Path | None, also("grpc-server-key")] = Field(
        default=None, description="PEM file of its private key."
    )
    tls_client_ca: Annotated[Path | None, also("grpc-root-cert")] = Field(
        default=None, description="PEM file of authorities: clients must show a certificate that one of them signed."
    )
    grpc_use_ssl: bool = Field(default=False, description="Triton's: --tls_cert and --tls_key must be there.")
    grpc_use_ssl_mutual: bool = Field(default=False, description="Triton's: --tls_client_ca must be there too.")
    api_key_file: Path | None = Field(
        default=None, description="File of the keys that clients must send, and their rights; read again on change."
    )

    @model_validator(mode="after")
    def _certificate_and_key(self) -> "SecurityFlags":
        if self.tls_cert is not None and self.tls_key is None:
            raise ValueError("--tls_cert needs --tls_key, the certificate's private key")
        if self.tls_key is not None and self.tls_cert is None:
            raise ValueError("--tls_key needs --tls_cert, the certificate of that key")
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise ValueError("--tls_client_ca needs --tls_cert and --tls_key: without TLS nobody shows a certificate")
        return self

    @model_validator(mode="after")
    def _tritons_switches(self) -> "SecurityFlags":
        """A switch that is off contradicts files that are given: nobody shall take the one for the other."""
        if (self.grpc_use_ssl or self.grpc_use_ssl_mutual) and self.tls_cert is None:
            raise ValueError("--grpc_use_ssl needs --tls_cert and --tls_key (--grpc-server-cert, --grpc-server-key)")
        if self.grpc_use_ssl_mutual and self.tls_client_ca is None:
            raise ValueError("--grpc_use_ssl_mutual needs --tls_client_ca (--grpc-root-cert)")
        if self._is_off("grpc_use_ssl") and self.tls_cert is not None and not self.grpc_use_ssl_mutual:
            raise ValueError("--grpc_use_ssl false and --tls_cert contradict each other: give one of them")
        if self._is_off("grpc_use_ssl_mutual") and self.tls_client_ca is not None:
            raise ValueError("--grpc_use_ssl_mutual false and --tls_client_ca contradict each other: give one of them")
        return self

    def _is_off(self, switch: str) -> bool:
        return switch in self.model_fields_set and not getattr(self, switch)
