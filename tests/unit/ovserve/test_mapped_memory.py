"""Mapped memory whose file is truncated while somebody copies, in a process of its own each, which may end."""

import signal
import subprocess
import sys

import pytest

PRELUDE = """
import ctypes, mmap, os, sys, tempfile, threading, time
from ovserve.bus_errors import BUS_ERRORS
from ovserve.mapped_memory import MappedMemory
from ovserve.signals import Signals

SIZE = 1 << 20
buffer = memoryview(bytearray(SIZE))


def mapped(kind=MappedMemory, offset=0):
    file = tempfile.TemporaryFile(dir="/dev/shm")
    file.write(bytes(offset) + b"x" * SIZE)
    file.flush()
    memory = kind(file.fileno(), offset, SIZE)
    memory.file = file
    return memory


class TruncatedLate(MappedMemory):
    # Right after the look that comes before the copy.
    looks = 0

    def is_short(self):
        self.looks += 1
        if self.looks > 1:
            return super().is_short()
        self.file.truncate(100)
        return False


class WithoutPages(TruncatedLate):
    # As where the system has none left: the file is as long as it was.
    def is_short(self):
        super().is_short()
        return False
"""


def run(script: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", PRELUDE + script]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def printed(script: str) -> str:
    ended = run(script)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


@pytest.mark.parametrize("offset", [0, 1, 4096, 5000])
def test_what_is_whole_is_read_and_written(offset: int) -> None:
    script = f"""
with Signals(BUS_ERRORS.handlers()):
    memory = mapped(offset={offset})
    print(memory.write(100, memoryview(b"abc")), memory.read_into(0, buffer), bytes(buffer[99:104]))
    print(os.pread(memory.file.fileno(), 5, {offset} + 99), memory.is_whole)
"""
    assert printed(script) == "True True b'xabcx'\nb'xabcx' True"


@pytest.mark.parametrize("kind", ["TruncatedLate", "WithoutPages"])
@pytest.mark.parametrize("copy", ["memory.read_into(0, buffer)", "memory.write(0, buffer)"])
def test_a_copy_that_loses_its_file_ends_and_does_not_count(kind: str, copy: str) -> None:
    script = f"""
with Signals(BUS_ERRORS.handlers()):
    for _ in range(3):
        memory, other = mapped({kind}), mapped()
        print({copy}, memory.is_whole, {copy}, other.read_into(0, buffer), other.is_whole)
"""
    assert printed(script).split("\n") == ["False False False True True"] * 3


def test_what_was_truncated_before_is_not_touched() -> None:
    script = """
memory = mapped()  # nobody listens to SIGBUS
memory.file.truncate(SIZE - 1)
print(memory.read_into(0, buffer), memory.write(0, buffer), memory.is_whole)
memory.file.truncate(SIZE)
print(memory.read_into(0, buffer))
"""
    assert printed(script) == "False False True\nTrue"


def test_all_who_copy_when_a_file_is_truncated_again_and_again_go_on() -> None:
    script = """
ends = []

def copy(memories):
    for memory in memories:
        ends.append(memory.read_into(0, buffer))

with Signals(BUS_ERRORS.handlers()):
    healthy = mapped()
    victims = [[mapped(TruncatedLate) for _ in range(50)] for _ in range(4)]
    threads = [threading.Thread(target=copy, args=(memories,)) for memories in victims]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert healthy.read_into(0, memoryview(bytearray(SIZE)))
    print(len(ends), any(ends), healthy.is_whole)
"""
    assert printed(script) == "200 False True"


@pytest.mark.parametrize("others_copy", [False, True])
def test_a_fault_of_somebody_else_ends_the_process_as_ever_once_nobody_copies(others_copy: bool) -> None:
    script = f"""
def copy(memory=mapped(), until_s=time.monotonic() + 0.5):
    while time.monotonic() < until_s:
        memory.read_into(0, memoryview(bytearray(SIZE)))

with Signals(BUS_ERRORS.handlers()):
    if {others_copy}:
        threading.Thread(target=copy).start()
    memory = mapped()
    memory.file.truncate(0)
    print("before", flush=True)
    ctypes.CDLL(None).memcpy(ctypes.create_string_buffer(8), ctypes.c_void_p(memory._first), 8)
    print("after")
"""
    ended = run(script)
    assert (ended.returncode, ended.stdout) == (-signal.SIGBUS, "before\n")
