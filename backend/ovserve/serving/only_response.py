"""The one response to a request that can take no more."""

from ovserve.errors import OVServeError, Unsupported
from ovserve.requests import InferResponse


class OnlyResponse:
    """Takes responses; a second one is refused, so that the model is told to stop."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._found: InferResponse | None = None

    def take(self, response: InferResponse | OVServeError | None, *, final: bool) -> None:  # noqa: ARG002 - as `SendResponse`
        """Raises the error that is the response, and `Unsupported` for a second one."""
        if response is None:
            return
        if isinstance(response, OVServeError):
            raise response
        if self._found is not None:
            raise self._refusal("more than one")
        self._found = response

    def get(self) -> InferResponse:
        """Return it; raises `Unsupported` where there was none."""
        if self._found is None:
            raise self._refusal("none")
        return self._found

    def _refusal(self, count: str) -> Unsupported:
        return Unsupported(
            f"{self._label} is decoupled and gave {count} of the responses, where exactly one can be taken: "
            f"ask it over ModelStreamInfer"
        )
