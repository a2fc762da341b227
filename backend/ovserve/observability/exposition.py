"""Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats). Pure.

Not prometheus-client's: it ends the name of every counter in `_total`, which neither OVMS nor Triton does.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


@dataclass(frozen=True, slots=True)
class Sample:
    """A value; `suffix` comes after the family's name."""

    labels: Mapping[str, str]
    value: float
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """Samples of one name; `kind` is counter, gauge or histogram."""

    name: str
    kind: str
    description: str
    samples: Sequence[Sample]


def write(families: Iterable[Family]) -> str:
    lines: list[str] = []
    for family in families:
        lines += [f"# HELP {family.name} {family.description}", f"# TYPE {family.name} {family.kind}"]
        lines += [f"{family.name}{sample.suffix}{_labels(sample.labels)} {sample.value}" for sample in family.samples]
    return "".join(f"{line}\n" for line in lines)


def _labels(labels: Mapping[str, str]) -> str:
    shown = ",".join(f'{name}="{value.translate(_ESCAPED)}"' for name, value in labels.items())
    return f"{{{shown}}}" if shown else ""


def histogram(labels: Mapping[str, str], bounds: Sequence[float], counts: Sequence[int], total: float) -> list[Sample]:
    """Write counts per bucket, one more than `bounds`, as running sums, with their number and `total`."""
    samples: list[Sample] = []
    running = 0
    for bound, count in zip((*map(str, bounds), "+Inf"), counts, strict=True):
        running += count
        samples.append(Sample({**labels, "le": bound}, running, "_bucket"))
    return [*samples, Sample(labels, total, "_sum"), Sample(labels, running, "_count")]
