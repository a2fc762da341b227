"""The fenced code blocks of the documentation; as a command, prints README's test command for .ci/run."""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
_BLOCK = re.compile(r"^```(?P<language>\w+)(?: (?P<role>\w+))?\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of code; `role` is the word after the language, which says how the test runs it."""

    page: str
    language: str
    role: str
    code: str


def blocks(page: Path) -> Iterator[Block]:
    for found in _BLOCK.finditer(page.read_text()):
        yield Block(page.name, found["language"], found["role"] or "", found["code"])


def readme(role: str, language: str = "bash") -> list[str]:
    """The code of README's blocks of one role."""
    return [block.code for block in blocks(CHECKOUT / "README.md") if (block.role, block.language) == (role, language)]


if __name__ == "__main__":
    (command,) = readme(sys.argv[1])
    print(command.strip())
