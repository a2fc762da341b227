import pydantic
import pytest

from ovserve.config.settings import Settings

PAIR = {"tls_cert": "c", "tls_key": "k"}
MUTUAL = {**PAIR, "tls_client_ca": "a"}


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"tls_cert": "c"}, "--tls_cert needs --tls_key"),
        ({"tls_key": "k"}, "--tls_key needs --tls_cert"),
        ({"tls_client_ca": "a"}, "--tls_client_ca needs --tls_cert and --tls_key"),
        ({"grpc_use_ssl": True}, "--grpc_use_ssl needs --tls_cert and --tls_key"),
        ({**PAIR, "grpc_use_ssl_mutual": True}, "--grpc_use_ssl_mutual needs --tls_client_ca"),
        ({**PAIR, "grpc_use_ssl": False}, "--grpc_use_ssl false and --tls_cert contradict each other"),
        ({**MUTUAL, "grpc_use_ssl_mutual": False}, "--grpc_use_ssl_mutual false and --tls_client_ca contradict"),
    ],
)
def test_halves_and_contradictions_are_refused(flags: dict[str, object], sentence: str) -> None:
    with pytest.raises(pydantic.ValidationError) as refused:
        Settings(model_repository="r", **flags)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    "flags",
    [
        {},
        {"grpc_use_ssl": False, "grpc_use_ssl_mutual": False},
        PAIR,
        {**PAIR, "grpc_use_ssl": True},
        MUTUAL,
        {**MUTUAL, "grpc_use_ssl": True, "grpc_use_ssl_mutual": True},
        {**MUTUAL, "grpc_use_ssl": False, "grpc_use_ssl_mutual": True},  # as in Triton, mutual alone suffices
    ],
)
def test_what_fits_together_is_taken(flags: dict[str, object]) -> None:
    assert Settings(model_repository="r", **flags).grpc_use_ssl is flags.get("grpc_use_ssl", False)
