"""What stands for a model that was loaded, where loads are tested."""

from dataclasses import dataclass, field

from ovserve.serving.in_flight import InFlight


@dataclass(eq=False)
class Served:
    """Its text, and what the reconciler asks of it."""

    text: str = ""
    note: None = None
    slots: int = 1
    in_flight: InFlight = field(default_factory=InFlight)
