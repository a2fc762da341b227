import subprocess
import sys

import pytest

SEVERAL_SIGNALS_AT_ONCE = """
import os, signal
from ovserve.engine.openvino import Engine

engines = [Engine() for _ in range({engines})]
numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
for number in numbers:
    signal.signal(number, lambda *_: None)
signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
for number in numbers:
    os.kill(os.getpid(), number)
signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
print("alive")
"""


@pytest.mark.parametrize("engines", [1, 2])
def test_several_signals_at_once_do_not_end_a_process_that_uses_openvino(engines: int) -> None:
    script = SEVERAL_SIGNALS_AT_ONCE.format(engines=engines)
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stdout) == (0, "alive\n"), run.stderr
