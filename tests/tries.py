"""How many random cases a test tries."""

import os


def tries(most: int) -> int:
    """A fifth of `most`, since each run tries others; all of them with OVSERVE_TEST_TRIES=all."""
    return most if os.environ.get("OVSERVE_TEST_TRIES") == "all" else most // 5
