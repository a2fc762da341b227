"""A pipeline as config.json describes it (spec C.1); whether it makes sense is decided when it is planned."""

from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, model_validator

from ovserve.config.json_schema import Items, Part

MAX_DEMULTIPLY_COUNT = 10_000

# The names of a pipeline's own ends, among its nodes.
REQUEST = "request"
RESPONSE = "response"

ValueT = TypeVar("ValueT")


def _one_key(value: dict[str, ValueT]) -> dict[str, ValueT]:
    if len(value) != 1:
        raise ValueError(f"must be an object of one key, has {len(value)}")
    return value


_Name = Annotated[str, Field(min_length=1)]
_DemultiplyCount = Annotated[int, Field(ge=-1, le=MAX_DEMULTIPLY_COUNT)]


class DataSource(Part):
    """A tensor: which node's, and under which name."""

    node_name: str
    data_item: str


class NodeOutput(Part):
    """A model's output and the name that others know it by."""

    data_item: str
    alias: str


Connections = Items[Annotated[dict[str, DataSource], AfterValidator(_one_key)]]


class NodeConfig(Part):
    """A step of a pipeline: a model, or a function of a custom node library."""

    name: _Name
    type: Literal["DL model", "custom"]
    model_name: _Name = ""
    version: Annotated[int, Field(ge=1)] | None = None
    library_name: _Name = ""
    params: dict[str, str] = Field(default_factory=dict)
    demultiply_count: _DemultiplyCount | None = None
    gather_from_node: _Name = ""
    inputs: Connections
    outputs: Items[NodeOutput]

    def servable_of(self, pipeline: str) -> str:
        """Name what it runs: a model, or the custom node's own instance, which is served as PIPELINE/NODE."""
        return self.model_name or f"{pipeline}/{self.name}"

    @model_validator(mode="after")
    def _has_what_its_type_needs(self) -> "NodeConfig":
        needed, other = ("model_name", "library_name") if self.type == "DL model" else ("library_name", "model_name")
        if not getattr(self, needed) or getattr(self, other):
            raise ValueError(f"a node of type '{self.type}' has a {needed} and no {other}")
        return self


class PipelineConfig(Part):
    """Models and custom nodes, connected."""

    name: _Name
    inputs: Items[str]
    outputs: Connections
    nodes: Items[NodeConfig]
    demultiply_count: _DemultiplyCount | None = None
