"""The models that both a real Triton and ovserve serve, with the same settings."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import openvino as ov

import small_models
from server_process import repository

TWO_INSTANCES = "instance_group { count: 2 kind: KIND_CPU }"


@dataclass(frozen=True)
class Example:
    """A model, or the folder of its files; what is set of it; and what only Triton's config.pbtxt says beside that."""

    model: ov.Model | Path
    settings: Mapping[str, str] = field(default_factory=dict)
    more: str = ""

    @property
    def pbtxt(self) -> str:
        parameters = (
            f"parameters {{ key: {json.dumps(key)} value {{ string_value: {json.dumps(value)} }} }}\n"
            for key, value in self.settings.items()
        )
        return "".join(['backend: "openvino_py"\n', self.more, "\n", *parameters])

    @property
    def flags(self) -> list[str]:
        return [word for key, value in self.settings.items() for word in (f"--{key}", value)]


def types() -> ov.Model:
    """One bare pass-through per datatype, side by side; each input and its output bear the datatype's name."""
    nodes = [small_models.parameter(kind, [-1], kind) for kind in small_models.ALL]
    results = [small_models.named(node, kind) for node, kind in zip(nodes, small_models.ALL, strict=True)]
    return ov.Model(results, nodes, "types")


def examples(shared: Path) -> dict[str, Example]:
    """By name; the one of real faces only where there is one."""
    found = {
        "types": Example(types()),
        "dyn": Example(small_models.add_sub([-1, 4])),
        "scalar": Example(small_models.add_one([])),
        "slow": Example(small_models.slow(), {"nireq": "2"}),
        "ranged": Example(small_models.channel_sum(), {"shape": "(1,3,2:9,-1)"}),
        "nhwc": Example(small_models.channel_sum(), {"layout": "NHWC"}),
        "each": Example(small_models.add_sub([1, 4]), {"shape": '{"a": "(2,4)", "b": "auto"}'}),
        "batched": Example(small_models.add_one([1, 3]), {"batch_size": "1:4"}, "max_batch_size: 4"),
        "twins": Example(small_models.add_one([-1]), {}, TWO_INSTANCES),
        "slow_twins": Example(small_models.slow(), {}, TWO_INSTANCES),
    }
    faces = shared / "models/face-detection-retail-0004/1"
    if faces.is_dir():
        found["faces"] = Example(faces, {"shape": "auto"})
    return found


def write(root: Path, name: str, example: Example, *, pbtxt: bool) -> Path:
    """Lay out one model in the repository `root`; returns its folder."""
    if isinstance(example.model, Path):
        repository(root, **{name: example.model})
    else:
        small_models.save(example.model, root / name / "1")
    if pbtxt:
        (root / name / "config.pbtxt").write_text(example.pbtxt)
    return root / name
