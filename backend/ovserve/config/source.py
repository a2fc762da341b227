"""Which models are served."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ovserve.config.names import also


def _several(value: Any) -> Any:
    """Take one where there may be several."""
    return (value,) if isinstance(value, str | Path) else value


class Source(BaseModel):
    """Model repositories, one model, or a file that lists models."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model_repository: Annotated[tuple[Path, ...] | None, BeforeValidator(_several), also("model_repository_path")] = (
        Field(
            default=None,
            description="Folder of models, NAME/VERSION/model.xml (or .onnx, .pdmodel, .pb, .tflite); may be repeated.",
        )
    )
    model_name: str | None = Field(default=None, min_length=1, description="Name of the one model to serve.")
    model_path: Path | None = Field(
        default=None, description="The one model: its folder with or without version folders, or its file."
    )
    config_path: Path | None = Field(
        default=None, description="OVMS's config.json that lists the models to serve, or the folder it lies in."
    )

    @model_validator(mode="after")
    def _one_source_of_models(self) -> "Source":
        one_model = (self.model_name, self.model_path)
        sources = (self.model_repository, self.model_name or self.model_path, self.config_path)
        if sum(source is not None for source in sources) != 1 or (None in one_model and one_model != (None, None)):
            raise ValueError("use one of: --model_repository, --config_path, or --model_name with --model_path")
        return self
