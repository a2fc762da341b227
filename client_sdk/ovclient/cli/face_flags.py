from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from ovclient.cli.connection import JsonFlag

_Size = Annotated[int | None, Parameter(validator=Number(gte=1))]


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class FaceFlags:
    """The flags of OVMS's face detection client, and ours."""

    model_name: str = "face-detection"
    """The model to ask."""
    input_images_dir: Path | None = None
    """A folder of pictures; packaged portraits if not given."""
    output_dir: Path = Path("results")
    """The folder to write the pictures with boxes into; made if it does not exist."""
    batch_size: Annotated[int, Parameter(validator=Number(gte=1))] = 1
    """Pictures in a request."""
    width: _Size = None
    """Width to resize to; if not given the model's, or 1200 where it takes any."""
    height: _Size = None
    """Height to resize to; if not given the model's, or 800 where it takes any."""
    binary: bool = False
    """Send picture files as they are; the server decodes and resizes them, boxes are drawn on the whole pictures."""
    confidence: Annotated[float, Parameter(validator=Number(gte=0, lte=1))] = 0.5
    """Show faces whose score is above this."""
    json: JsonFlag = False
    """Print one JSON document."""
