"""What a request says of its sequence and its priority, as tritonclient names it."""

from collections.abc import Mapping

from ovclient._encode import Parameter
from ovclient._errors import InvalidRequest


def with_sequence(
    parameters: Mapping[str, Parameter] | None,
    sequence_id: int | str,
    *,
    start: bool,
    end: bool,
    priority: int,
) -> dict[str, Parameter]:
    """Add to `parameters`; the id 0, or an empty one, is that of no sequence, the priority 0 the model's own.

    Raises `InvalidRequest` for a sequence that starts or ends without an id, and for what is said twice.
    """
    if not sequence_id and (start or end):
        raise InvalidRequest("sequence_start and sequence_end need a sequence_id, a number above 0 or a text")
    added: dict[str, Parameter] = {}
    if sequence_id:
        added = {"sequence_id": sequence_id, "sequence_start": start, "sequence_end": end}
    if priority:
        added["priority"] = priority
    given = dict(parameters or {})
    for name in added.keys() & given.keys():
        raise InvalidRequest(f"'{name}' is given by its own name and in parameters: give one of them")
    return given | added
