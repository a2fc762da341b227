"""The command `ovclient`.

Exit codes: 0 done (`live`, `ready`: yes), 1 failed (or no), 2 wrong usage, 130 interrupted.
"""

import os
import sys

from ovclient.cli.kept_help import kept_help

_INTERRUPTED = 130
_HINT = "(--help tells how)"


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit; whatever fails is told on stderr, without a traceback."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # gRPC's own log would add lines to ours
    try:
        if (text := kept_help(arguments)) is not None:
            print(text, end="", flush=True)
            return 0
        return _command(arguments)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python complains when it flushes at exit
        return 1


def _command(arguments: list[str]) -> int:
    from cyclopts import CycloptsError  # noqa: PLC0415 - `import ovclient` must not pay for the command line

    from ovclient._errors import OVClientError  # noqa: PLC0415 - likewise
    from ovclient.cli.app import app  # noqa: PLC0415 - likewise
    from ovclient.cli.failure import CommandFailed, UnknownName, WrongUsage  # noqa: PLC0415 - likewise

    try:
        code = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except (CycloptsError, WrongUsage) as error:
        return _fail(f"{error} {_HINT}", 2)
    except UnknownName as error:
        print(error, file=sys.stderr)
        return 1
    except (CommandFailed, OVClientError) as error:
        return _fail(str(error), 1)
    return int(code or 0)


def _fail(sentence: str, code: int) -> int:
    print("ovclient:", " ".join(sentence.split()), file=sys.stderr)
    return code
