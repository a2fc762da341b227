"""Files that run in the peers' own environments, not in ours."""

from pathlib import Path

THEIRS = Path(__file__).resolve().parent
