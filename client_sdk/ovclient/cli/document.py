import json
from typing import Any


def print_json(document: Any) -> None:
    """One strict JSON document: NaN and infinities, which JSON lacks, must have become null before."""
    print(json.dumps(document, allow_nan=False, ensure_ascii=False, indent=2))
