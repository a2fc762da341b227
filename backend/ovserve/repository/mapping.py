"""mapping_config.json: public names for a model's tensors (spec section D)."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ovserve.errors import LoadFailed

FILE_NAME = "mapping_config.json"


class NameMapping(BaseModel):
    """The model's own name -> the name that clients use; a name not listed stays."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    inputs: dict[str, str] = Field(default_factory=dict)
    outputs: dict[str, str] = Field(default_factory=dict)


def read_mapping(folder: Path) -> NameMapping:
    """Read the mapping beside the model files; without the file, nothing is renamed.

    Raises `LoadFailed` for a file that is not such a mapping (OVMS logs that and goes on, which serves wrong names).
    """
    path = folder / FILE_NAME
    try:
        text = path.read_text()
    except FileNotFoundError:
        return NameMapping()
    except (OSError, UnicodeDecodeError) as error:
        raise LoadFailed(f"{FILE_NAME} cannot be read: {type(error).__name__}", path) from error
    try:
        return NameMapping.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise LoadFailed(f"{FILE_NAME}: {where + ': ' if where else ''}{first['msg']}", path) from error
