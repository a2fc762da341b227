"""What reflection shows: one pool of descriptors for services whose messages live in pools of their own."""

from collections.abc import Iterable
from typing import Any

from google.protobuf.descriptor_pool import DescriptorPool


def make_pool(files: Iterable[Any]) -> DescriptorPool:
    """Make a pool of these files and of those that they import."""
    made = DescriptorPool()
    pool: Any = made
    added: set[str] = set()

    def add(file: Any) -> None:
        if file.name in added:
            return
        added.add(file.name)
        for imported in file.dependencies:
            add(imported)
        pool.AddSerializedFile(file.serialized_pb)

    for file in files:
        add(file)
    return made
