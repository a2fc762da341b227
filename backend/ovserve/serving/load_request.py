"""Somebody asks to have a model loaded, or unloaded."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from ovserve.errors import LoadFailed


@dataclass(slots=True)
class Request:
    """Whoever asked waits for `done`; `with_parts` unloads what a pipeline runs too.

    `found` says whether the repository has it, `refusal` why it cannot be configured, `failures` why versions could not
    be loaded.
    """

    model: str
    load: bool
    with_parts: bool = False
    done: threading.Event = field(default_factory=threading.Event)
    found: bool = False
    refusal: LoadFailed | None = None
    failures: Mapping[int, str] = field(default_factory=dict)
