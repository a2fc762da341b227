"""The command line: OVMS's and Triton's flags -> Settings."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

# gRPC's C core writes to standard error by itself, over several lines; what matters of it we say ourselves.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import cyclopts
import pydantic
from cyclopts import App, Parameter

from ovserve.bench.command import bench
from ovserve.bench.load import BenchFailed
from ovserve.command_line import ENVIRONMENT, TwoNames, prepare, two_variables
from ovserve.config.redacted import redacted, without_pem
from ovserve.config.settings import Settings
from ovserve.config_commands import CommandFailed, WrongUsage, add_to_config, list_models, remove_from_config
from ovserve.default_repository import default_repository
from ovserve.demo import run as run_demo
from ovserve.errors import CannotStart, ConfigInvalid
from ovserve.install_triton import install
from ovserve.observability import logs
from ovserve.version import VERSION

USAGE_ERROR = 2
START_FAILURE = 1
INTERRUPTED = 130

_HELP = """Serve OpenVINO models over KServe v2 gRPC.

Every folder of the model repository is a model, every numbered folder in it a version.
"""

_EXAMPLES = """Examples:

  ovserve demo                                                      see it work
  ovserve bench models/resnet --clients 1,4                         what serving costs beside OpenVINO alone
  ovserve --model_repository models                                 every model in the folder models, on port 9000
  ovserve --model_name resnet --model_path models/resnet            one model
  ovserve --model_name face --model_path face.onnx --port auto      one file, on a free port that is printed
  ovserve --model_repository models --plugin_config '{"NUM_STREAMS": "1"}' --nireq 4
  ovserve --model_name face --model_path face --shape "(1,3,-1,-1)"  any height and width
  ovserve --config_path models/config.json                          the models that OVMS's config.json lists
  ovserve --add_to_config --config_path models --model_name resnet --model_path resnet
  ovserve check --model_repository models                           what would be served, without serving it
  ovserve --model_repository models --grpc_bind_address 0.0.0.0     open to other machines
  ovserve --model_repository models --tls_cert cert.pem --tls_key key.pem --api_key_file keys    not to everybody
  ovserve install-triton-backend /opt/tritonserver/backends         the same models inside Triton

Flags take '_' or '-', and '--flag value' or '--flag=value'. A flag beats its environment variable,
OVSERVE_ and its name in capitals. OVMS_MODEL_REPOSITORY_PATH counts if nothing else says what to serve.
"""

cli = App(
    name="ovserve",
    version=f"ovserve {VERSION}",
    help=_HELP,
    help_epilogue=_EXAMPLES,
    help_format="plaintext",
    default_parameter=Parameter(name_transform=lambda name: name, negative=()),
    config=(cyclopts.config.Env(ENVIRONMENT, command=False, show=False), default_repository),
)


@cli.default
def serve(*, settings: Annotated[Settings | None, Parameter(name="*")] = None) -> int:
    checked = settings or Settings()  # without a flag there is nothing to serve, which Settings says
    from ovserve import app  # noqa: PLC0415 - a second or so, for which --help and a wrong flag need not wait

    try:
        _configure_logs(checked)
        return app.run(checked)
    except CannotStart as error:
        return _fail(str(error), START_FAILURE)


def _configure_logs(settings: Settings) -> None:
    try:
        logs.configure(settings.least_level, settings.log_format, settings.log_path)
    except OSError as error:
        raise CannotStart(f"--log_path {settings.log_path}: {error.strerror}") from error


@cli.command
def check(*, settings: Annotated[Settings | None, Parameter(name="*")] = None, json: bool = False) -> int:
    """Show what would be served, without listening: models, versions, inputs and outputs after shape and layout.

    Exit code 0 if everything is as asked for; otherwise 1, and the reasons.

    Args:
        settings: As for serving.
        json: Print one JSON document.
    """
    from ovserve.check import run as run_check  # noqa: PLC0415 - as above

    try:
        return run_check(settings or Settings(), as_json=json)
    except CannotStart as error:
        return _fail(str(error), START_FAILURE)


@cli.command
def demo(*, output_dir: Path = Path("ovserve-demo"), keep: bool = False) -> int:
    """Serve the models that come with ovserve, ask them with ovclient, and judge the answers.

    Exit code 0 only if every digit is recognised and every portrait shows the faces it has.

    Args:
        output_dir: Folder for the pictures with their boxes.
        keep: Go on serving afterwards, until Ctrl-C.
    """
    try:
        return run_demo(output_dir, keep=keep)
    except CannotStart as error:
        return _fail(str(error), START_FAILURE)


_INSTALL_EXAMPLES = """Examples:

  ovserve install-triton-backend /opt/tritonserver/backends
  ovserve install-triton-backend backends --name openvino             also for models without config.pbtxt
  ovserve install-triton-backend backends --python env/bin/python3    what Triton's stub will run
"""


@cli.command(name="install-triton-backend", help_epilogue=_INSTALL_EXAMPLES)
def install_triton_backend(
    backends: Path, /, *, name: Literal["openvino_py", "openvino"] = "openvino_py", python: str | None = None
) -> int:
    """Put the plug-in for Triton into its folder of backends, and check the Python that Triton will run it with.

    Exit code 0 if all is in place, otherwise 1, and what to install.

    Args:
        backends: Triton's folder of backends.
        name: Folder of the plug-in, and the backend that a config.pbtxt names.
        python: Python that Triton's stub will run; default: the first python3 in PATH, as the stub looks for it.
    """
    return install(backends, name, python)


cli.command(bench)

# OVMS writes these commands as flags, which may stand anywhere among the others.
_FLAG_COMMANDS = {f"--{run.__name__}": run for run in (list_models, add_to_config, remove_from_config)}
for _name, _run in _FLAG_COMMANDS.items():
    cli.command(_run, name=_name, group="Configuration file")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 served and stopped, 1 nothing could be served, 2 wrong usage, 130 Ctrl-C."""
    try:
        tokens = prepare(sys.argv[1:] if arguments is None else arguments, _FLAG_COMMANDS)
        sys.exit(cli(tokens, exit_on_error=False, print_error=False))
    except cyclopts.CycloptsError as error:
        sys.exit(_fail(_usage(error), USAGE_ERROR))
    except pydantic.ValidationError as error:
        sys.exit(_fail(_wrong_settings(error), USAGE_ERROR))
    except (WrongUsage, TwoNames) as error:
        sys.exit(_fail(str(error), USAGE_ERROR))
    except ConfigInvalid as error:
        sys.exit(_fail(f"{error} ({error.path})", START_FAILURE))
    except (CannotStart, BenchFailed, CommandFailed) as error:
        sys.exit(_fail(str(error), START_FAILURE))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _usage(error: cyclopts.CycloptsError) -> str:
    if isinstance(error, cyclopts.RepeatArgumentError) and error.token.source == "env":
        return two_variables(str(error.token.keyword), os.environ)
    cause = error.__cause__
    return _wrong_settings(cause) if isinstance(cause, pydantic.ValidationError) else redacted(str(error))


def _wrong_settings(error: pydantic.ValidationError) -> str:
    """Say in one line which flag is wrong, how, and what came."""
    first = error.errors()[0]
    message = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return message
    flag = str(first["loc"][0])
    return f"--{flag} (or OVSERVE_{flag.upper()}): {message}, got '{redacted(str(first['input']))}'"


def _fail(sentence: str, code: int) -> int:
    print(f"ovserve: {' '.join(without_pem(sentence).split())}", file=sys.stderr)
    return code
