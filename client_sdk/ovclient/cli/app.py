from importlib.metadata import PackageNotFoundError, version

from cyclopts import App, Parameter
from cyclopts.config import Env

from ovclient.cli import examples
from ovclient.cli.bench import bench
from ovclient.cli.face_detection import face_detection
from ovclient.cli.metadata import metadata
from ovclient.cli.models import models
from ovclient.cli.pipeline import pipeline
from ovclient.cli.probes import live, ready
from ovclient.cli.resnet import resnet
from ovclient.cli.status import status


def _version() -> str:
    try:
        return f"ovclient {version('ovserve')}"  # one distribution carries both packages
    except PackageNotFoundError:
        return "ovclient (not installed)"


app = App(
    name="ovclient",
    help="Talk to a model server over KServe v2, gRPC or REST: ovserve, OpenVINO Model Server, Triton.",
    help_format="plaintext",
    help_epilogue=examples.APP,
    version=_version,
    # The flags keep their `_`; cyclopts takes them with `-` too.
    default_parameter=Parameter(name_transform=lambda name: name, negative=()),
    config=Env("OVCLIENT_", command=False),
)
app.command(resnet, help_epilogue=examples.RESNET)
app.command(face_detection, help_epilogue=examples.FACE_DETECTION)
app.command(bench, help_epilogue=examples.BENCH)
app.command(models)
app.command(pipeline)
app.command(metadata, help_epilogue=examples.METADATA)
app.command(status, help_epilogue=examples.STATUS)
app.command(live, help_epilogue=examples.LIVE)
app.command(ready, help_epilogue=examples.READY)
