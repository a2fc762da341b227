"""The names of a model's instances, as Triton gives them. Pure."""

from collections.abc import Sequence

from ovserve.config.declared import Document
from ovserve.engine.refused import Refused

_MOST = 256


def instance_names(document: Document, name: str) -> tuple[str, ...]:
    """Name the instances of every instance_group: NAME_0_0, NAME_0_1, ... or GROUP_0, GROUP_1, ..., without any NAME_0.

    Raises `Refused` for more than 256.
    """
    groups: Sequence[Document] = document.get("instance_group") or ({"name": name},)
    counts = [max(1, int(group.get("count", 1))) for group in groups]
    if sum(counts) > _MOST:
        raise Refused(f"instance_group asks for {sum(counts)} instances, expected at most {_MOST}")
    return tuple(
        f"{group.get('name') or f'{name}_{number}'}_{index}"
        for number, (group, count) in enumerate(zip(groups, counts, strict=True))
        for index in range(count)
    )
