"""Where the graph of a pipeline stands in a model's configuration. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from ovclient._ensemble import Member, ensemble
from ovclient._errors import AccessDenied, BadResponse, InvalidRequest, NotFound, NotReady, ServerFailure
from ovclient._types import ModelMetadata
from ovclient.pipeline import Pipeline

PARAMETER = "pipeline"
"""The parameter of a configuration in which ovserve describes a pipeline."""

NO_METADATA = AccessDenied, InvalidRequest, NotFound, NotReady, ServerFailure
"""How a server refuses a member's metadata; the graph is then told without its shapes."""


def pipeline(name: str, config: Any, known: Mapping[Member, ModelMetadata | None]) -> Pipeline:
    """The graph in `config`, with the metadata `known` of an ensemble's members."""
    document = _document(config)
    if document is None and not config.ensemble_scheduling.step:
        raise InvalidRequest(f"model '{name}' is not a pipeline")
    try:
        return ensemble(config, known) if document is None else Pipeline.from_document(document)
    except ValueError as error:
        raise BadResponse(f"the server describes pipeline '{name}' in a way that is not understood: {error}") from error


def _document(config: Any) -> dict[str, Any] | None:
    """What ovserve says about a pipeline; None if there is none, or another server's parameter of that name."""
    if PARAMETER not in config.parameters:  # asking for it would create it
        return None
    try:
        document = json.loads(config.parameters[PARAMETER].string_value)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
