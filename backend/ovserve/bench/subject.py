"""The model to measure, and how it is served."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ovserve.config.plugin_config import PluginConfig
from ovserve.config.settings import Settings

_DECISIVE = {"PERFORMANCE_HINT", "NUM_STREAMS"}


@dataclass(frozen=True, slots=True)
class Subject:
    """One model and its settings; `shape` goes to `ovclient bench` as it is."""

    name: str
    path: Path
    settings: Settings
    shape: tuple[str, ...] = ()

    @property
    def server_arguments(self) -> list[str]:
        """The flags with which a server serves it."""
        return [
            *("--model_name", self.name, "--model_path", str(self.path)),
            *("--target_device", self.settings.target_device, "--nireq", str(self.settings.nireq)),
            *("--plugin_config", json.dumps(self.settings.plugin_config), "--log_level", "WARNING"),
        ]

    @property
    def limit_configs(self) -> Mapping[str, PluginConfig]:
        """The configurations, by name, of which the limit is the best: either hint, and what was asked for."""
        asked = self.settings.plugin_config
        rest = {key: value for key, value in asked.items() if key not in _DECISIVE}
        configs: dict[str, PluginConfig] = {
            hint: {**rest, "PERFORMANCE_HINT": hint} for hint in ("LATENCY", "THROUGHPUT")
        }
        if "NUM_STREAMS" in asked:
            configs["as configured"] = asked
        return configs


def find_subject(
    model: str,
    model_repository: Path | None,
    *,
    plugin_config: str,
    nireq: int,
    target_device: str,
    shape: tuple[str, ...],
) -> Subject:
    """Take `model` as a folder or file, or as a name in `model_repository`; raises pydantic's `ValidationError`."""
    path = (Path(model) if model_repository is None else model_repository / model).resolve()
    name = path.stem if path.is_file() else path.name
    settings = Settings.model_validate(
        {
            "model_name": name,
            "model_path": path,
            "plugin_config": plugin_config,
            "nireq": nireq,
            "target_device": target_device,
        }
    )
    return Subject(name, path, settings, shape)
