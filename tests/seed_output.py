"""The text outputs that the seeds show, and the lines in which only measured figures may differ."""

import re
from pathlib import Path

_MEASURED = re.compile(r"\d+\.\d\d(?= ms| fps|$)")
_LINES = re.compile(
    r"(Iteration \d+;|(average|median|max|min) time:|time percentile \d+:|time standard deviation:|time variance:)"
)


def block(shared: Path, seed: str, name: str) -> list[str]:
    """The lines that `cat name` shows in the seed, without the measured figures."""
    text = next((shared / "seeds").glob(f"{seed}_*.txt")).read_text(encoding="utf-8")
    found = re.search(rf"^cat {re.escape(name)}\n(.*?)\n+```$", text, re.MULTILINE | re.DOTALL)
    assert found, f"seed {seed} shows no {name}"
    return masked(found[1])


def masked(output: str) -> list[str]:
    """Lines with figures of ms, fps, deviation and variance replaced; a percentage, say, stays."""
    lines = output.rstrip("\n").split("\n")
    return [_MEASURED.sub("#", line) if _LINES.match(line) else line for line in lines]
