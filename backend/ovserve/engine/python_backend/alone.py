"""A host without a server: for models that are loaded by themselves."""

from collections.abc import Callable, Mapping, Sequence

from ovserve.engine.python_backend.instance import Call, Reply
from ovserve.errors import NotFound


class Alone:
    """Knows no other models, and forgets metrics (a `Host`)."""

    def call(self, call: Call, take: Callable[[Reply], bool]) -> None:
        take(NotFound(f"model '{call.model}' is not found"))

    def is_ready(self, model: str, version: int | None) -> bool:  # noqa: ARG002 - as `Host`
        return False

    def make_metric(
        self,
        name: str,  # noqa: ARG002 - as `Host`
        kind: str,  # noqa: ARG002 - likewise
        description: str,  # noqa: ARG002 - likewise
        labels: Mapping[str, str],  # noqa: ARG002 - likewise
        buckets: Sequence[float],  # noqa: ARG002 - likewise
    ) -> int:
        return 0

    def change_metric(self, metric: int, operation: str, value: float) -> None:
        """Forget it."""

    def read_metric(self, metric: int) -> float:  # noqa: ARG002 - as `Host`
        return 0.0

    def drop_metric(self, metric: int) -> None:
        """There is none."""
