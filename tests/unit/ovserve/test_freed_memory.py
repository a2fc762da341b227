"""What becomes of freed memory, seen in the pages that a process has to take anew."""

import os
import subprocess
import sys

PAGES = 8 * (8 << 20) // 4096
PROGRAM = """
import resource, threading
from ovserve.freed_memory import keep_freed_memory
keep_freed_memory()
def work():
    for _ in range(4):
        held = [bytes(bytearray(8 << 20)) for _ in range(4)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        held = None
        held = [bytes(bytearray(8 << 20)) for _ in range(4)]
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


def pages_taken(**environment: str) -> int:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={**own, **environment}, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def test_a_request_takes_the_memory_that_the_one_before_it_freed() -> None:
    assert pages_taken() < PAGES


def test_the_environment_has_the_last_word() -> None:
    assert pages_taken(MALLOC_MMAP_THRESHOLD_="65536") > 2 * PAGES
