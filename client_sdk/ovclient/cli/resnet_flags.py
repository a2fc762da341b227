from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from ovclient.cli.connection import JsonFlag

_Positive = Number(gte=1)


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class ResnetFlags:
    """The flags of OVMS's resnet clients, and ours."""

    model_name: str = "resnet"
    """The model to ask."""
    pipeline_name: Annotated[str, Parameter(show_default=False)] = ""
    """A pipeline to ask instead; its answer is read as a class number counted from 1, not as scores."""
    images: Annotated[tuple[Path, ...], Parameter(consume_multiple=True, show_default=False)] = ()
    """Picture files, or folders of them."""
    images_list: Path | None = None
    """A text file of pictures: a line for each, its path and, if known, the number of its class."""
    binary: Annotated[bool, Parameter(name=("--binary", "--binary_images"))] = False
    """Send picture files as they are; the server decodes them."""
    images_numpy_path: Path | None = None
    """A .npy file of pictures, [n,c,h,w] or [n,h,w,c]."""
    labels_numpy_path: Path | None = None
    """A .npy file of the right class of each picture; switches the accuracy on."""
    labels_file: Path | None = None
    """A text file of class names, one a line; ImageNet's names if not given and the output is 1000 or 1001 wide."""
    input_name: str | None = None
    """The model's input; its image input if not given."""
    output_name: str | None = None
    """The model's output; the one of 1000 or 1001 classes, or the first, if not given."""
    transpose_input: Literal["False", "True"] | None = None
    """Transpose the .npy file's pictures; if not given, where the model's layout needs it."""
    transpose_method: Literal["nhwc2nchw", "nchw2nhwc"] | None = None
    """How to transpose; nhwc2nchw if not given."""
    iterations: Annotated[int, Parameter(validator=Number(gte=0))] = 0
    """Requests to send; 0 sends each whole batch in the data once."""
    batchsize: Annotated[int, Parameter(validator=_Positive)] = 1
    """Pictures in a request."""
    dag_batch_size_auto: Annotated[bool, Parameter(name=("--dag-batch-size-auto", "--dag_batch_size_auto"))] = False
    """Send [n,1,c,h,w], as a pipeline with a demultiplexer wants it."""
    binary_data: Annotated[bool, Parameter(show_default=False)] = False
    """Taken as OVMS's http_infer_resnet.py takes it; with --http_port tensors go as binary data anyway."""
    json: JsonFlag = False
    """Print one JSON document."""

    @property
    def model(self) -> str:
        return self.pipeline_name or self.model_name

    @property
    def transpose(self) -> str | None:
        """The method asked for, "no", or None where the data and the model decide."""
        if self.transpose_input == "False":
            return "no"
        if self.transpose_input == "True" or self.transpose_method:
            return self.transpose_method or "nhwc2nchw"
        return None
