"""The command `ovserve`."""

import sys

from ovserve.kept_help import kept_help


def main() -> None:
    """Run the command line; its help does not wait for what it describes."""
    if (text := kept_help(sys.argv[1:])) is not None:
        sys.stdout.write(text)
        return
    from ovserve import cli  # noqa: PLC0415 - as above

    cli.main()


if __name__ == "__main__":
    main()
