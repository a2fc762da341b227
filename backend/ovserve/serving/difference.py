"""What has to be done so that what is served becomes what should be. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ovserve.serving.desired import Desired, Name, Wanted


@dataclass(frozen=True, slots=True)
class Difference:
    load: Mapping[Name, Wanted]
    retire: Collection[Name]


def difference(desired: Desired, actual: Mapping[Name, Wanted], failed: Collection[Name]) -> Difference:
    """Compare; `failed` are those of `desired` that could not be loaded as they are.

    A version that is not wanted any more stays until those that are wanted of its model serve or have failed: a new
    version takes over without a gap. With no `failed` told, a load that fails leaves all as it was.
    """
    load = {name: wanted for name, wanted in desired.items() if actual.get(name) != wanted}
    coming = {model for model, version in load if (model, version) not in failed and (model, version) not in actual}
    retire = [name for name in actual if name not in desired and name[0] not in coming]
    return Difference(load, retire)
