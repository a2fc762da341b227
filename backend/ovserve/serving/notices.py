"""What the log says of whole models, once for each change of it."""

from collections.abc import Sequence

from ovserve.errors import LoadFailed
from ovserve.observability.logs import get_logger

logger = get_logger("ovserve.repository")


class Notices:
    """Remembers what was said last."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[str, ...]] = {}

    def say(self, name: str, warnings: Sequence[str], error: LoadFailed | None = None) -> None:
        told = (*warnings, *([] if error is None else [str(error)]))
        if self._told.get(name, ()) == told:
            return
        self._told[name] = told
        for sentence in warnings:
            logger.warning(sentence, model=name)
        if error is not None:
            logger.error("model failed", model=name, cause=str(error), path=str(error.path))

    def forget(self, name: str) -> None:
        """Say it again should the model come back."""
        self._told.pop(name, None)
