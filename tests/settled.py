"""A core without a server, whose reconciler is stepped by hand."""

from ovserve.core import Core


def settle(core: Core) -> dict[str, list[int]]:
    """Let the reconciler do all it can now; the versions that answer, by name."""
    while (wait_s := core.reconciler.step()) is not None:
        core.reconciler.dirty.wait(wait_s)
    return {name: list(entry.available) for name, entry in core.registry.entries.items() if entry.available}
