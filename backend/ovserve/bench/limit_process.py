"""The process in which `ovserve.bench.limit` runs."""

import json
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from ovserve.bench.load import BenchFailed
from ovserve.bench.records import InputTensor, Setup
from ovserve.bench.subject import Subject


class LimitProcess:
    """Idle unless asked to measure; ends with the `with` block. Raises `BenchFailed` when it does not answer."""

    def __init__(self, subject: Subject, inputs: Iterable[InputTensor]) -> None:
        self._first = {
            "path": str(subject.path),
            "target_device": subject.settings.target_device,
            "configs": subject.limit_configs,
            "inputs": [tensor.model_dump() for tensor in inputs],
        }

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ovserve.bench.limit"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = self._process.pid
        optimal = self._ask(self._first)
        self.setups = [
            Setup(config=config, in_flight=count) for config, most in optimal.items() for count in range(1, most + 1)
        ]
        return self

    def measure(self, setup: Setup, seconds: float) -> dict[str, Any]:
        """Run one way for `seconds`: seconds, requests, requests_per_s and cpu_us, as `Measured` has them."""
        return self._ask({**setup.model_dump(), "seconds": seconds})

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None  # noqa: S101 - opened as pipes
        assert self._process.stdout is not None  # noqa: S101 - likewise
        with suppress(BrokenPipeError):  # it has ended, which the missing answer tells
            print(json.dumps(question), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise BenchFailed(f"OpenVINO in process ended with exit code {self._process.wait()}; see above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.communicate()
