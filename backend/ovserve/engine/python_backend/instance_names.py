"""The names of a model's instances, as Triton gives them. Pure."""

from collections.abc import Sequence

from ovserve.config.declared import Document
from ovserve.engine.refused import Refused

_MOST = 256


def instance_names(document: Document, name: str) -> tuple[str, ...]:
    """Name the instances of every instance_group: NAME_0_0, NAME_0_1, ... or GROUP_0, GROUP_1, ..., without any NAME_0.

    Raises `Refused` for more than 256, and for sequences that could not be kept together.
    """
    groups: Sequence[Document] = document.get("instance_group") or ({"name": name},)
    counts = [max(1, int(group.get("count", 1))) for group in groups]
    if sum(counts) > _MOST:
        raise Refused(f"instance_group asks for {sum(counts)} instances, expected at most {_MOST}")
    _check_sequences(document, sum(counts))
    return tuple(
        f"{group.get('name') or f'{name}_{number}'}_{index}"
        for number, (group, count) in enumerate(zip(groups, counts, strict=True))
        for index in range(count)
    )


def _check_sequences(document: Document, count: int) -> None:
    batching = document.get("sequence_batching")
    if batching is None:
        return
    if count > 1:
        raise Refused(
            f"sequence_batching: requests of a sequence could meet another instance, of which there are {count}"
        )
    for name in ("control_input", "state"):
        if batching.get(name):
            raise Refused(f"sequence_batching: {name} is not supported for Python models, which ask the request")
