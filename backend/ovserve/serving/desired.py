"""What should be served, from what is configured and what was seen. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from ovserve.config.model import ModelConfig
from ovserve.repository.look import SeenModel, SeenVersion


@dataclass(frozen=True, slots=True)
class Wanted:
    """One version in one state of its files and settings; two that are equal are served alike."""

    config: ModelConfig
    seen: SeenVersion


Name: TypeAlias = tuple[str, int]  # a model's name and a version
Desired: TypeAlias = Mapping[Name, Wanted]


def desire(configs: Mapping[str, ModelConfig], seen: Mapping[str, SeenModel], failed: Collection[Name]) -> Desired:
    """Find what should be served: what the policy picks of all versions, and what it picks without those that failed.

    So a failing version is still tried again, while the next one stands in for it.
    """
    wanted: dict[Name, Wanted] = {}
    for name, config in configs.items():
        versions = seen[name].versions
        good = [number for number in versions if (name, number) not in failed]
        for number in {*_picked(config, versions), *_picked(config, good)}:
            wanted[name, number] = Wanted(config, versions[number])
    return wanted


def _picked(config: ModelConfig, versions: Collection[int]) -> Collection[int]:
    return config.model_version_policy.select(versions)
