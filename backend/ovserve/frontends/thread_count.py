"""How many threads a frontend needs to answer inference requests."""

from ovserve.dataplane import DataPlane
from ovserve.serving.registry import Registry

# Requests beyond what the models admit need a thread too, for the moment it takes to refuse them.
_SPARE_THREADS = 16


def threads_for(dataplane: DataPlane, registry: Registry) -> int:
    """Count the threads that a frontend needs: requests that wait for their turn or for a load hold theirs."""
    models = [model for entry in registry.entries.values() for model in entry.available.values()]
    return dataplane.most_waiting_for_loads + sum(model.admitted_at_once for model in models) + _SPARE_THREADS
