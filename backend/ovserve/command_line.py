"""What people write -> what cyclopts takes."""

from collections.abc import Collection, Mapping, Sequence
from itertools import islice

from cyclopts import Parameter

from ovserve.config.settings import Settings
from ovserve.errors import OVServeError

ENVIRONMENT = "OVSERVE_"

_YES_OR_NO = frozenset({"true", "false", "1", "0", "yes", "no", "y", "n", "t", "f"})
_REPEATABLE = frozenset({"model_repository"})


class TwoNames(OVServeError):
    """One setting is given by two of its names, and not alike."""


def _plain(token: str) -> str:
    """Find the name in a flag: `--grpc-port=9000` names grpc_port; empty for what is no flag."""
    return token.partition("=")[0].removeprefix("--").replace("-", "_") if token.startswith("--") else ""


# Settings by their other names.
OTHER_NAMES: Mapping[str, str] = {
    _plain(alias): name
    for name, field in Settings.model_fields.items()
    for parameter in field.metadata
    if isinstance(parameter, Parameter)
    for alias in parameter.alias or ()
}

_SWITCHES = frozenset(name for name, field in Settings.model_fields.items() if field.annotation is bool)


def prepare(tokens: Sequence[str], commands: Collection[str]) -> list[str]:
    """Bring one of `commands`, which are written as flags, to the front, where commands stand.

    A switch may have its value as a word of its own. Raises `TwoNames`.
    """
    prepared = _once(_with_values(tokens))
    at = next((index for index, token in enumerate(prepared) if f"--{_plain(token)}" in commands), None)
    if at is None:
        return prepared
    return [f"--{_plain(prepared[at])}", *prepared[:at], *prepared[at + 1 :]]


def _with_values(tokens: Sequence[str]) -> list[str]:
    """Write `--switch true` as `--switch=true`: cyclopts would take the word for an argument."""
    joined: list[str] = []
    for token in tokens:
        is_value = token.lower() in _YES_OR_NO and bool(joined) and "=" not in joined[-1]
        if is_value and _plain(joined[-1]) in _SWITCHES:
            joined[-1] += f"={token}"
        else:
            joined.append(token)
    return joined


def _once(tokens: Sequence[str]) -> list[str]:
    """Leave out a setting that is given again, alike, by another of its names."""
    kept: list[str] = []
    given: dict[str, tuple[str, str]] = {}
    rest = iter(tokens)
    for token in rest:
        plain = _plain(token)
        name = OTHER_NAMES.get(plain, plain)
        if name in _REPEATABLE or name not in OTHER_NAMES.values():
            kept.append(token)
            continue
        flag, equals, value = token.partition("=")
        words = [token]
        if not equals:
            words += (following := list(islice(rest, 1)))
            value = following[0] if following else ""
        before, value_before = given.setdefault(name, (flag, value))
        if _plain(before) == plain:
            kept += words
        elif value != value_before:
            raise TwoNames(f"{before} {value_before} and {flag} {value} are the same setting: give one of them")
    return kept


def two_variables(one: str, environment: Collection[str]) -> str:
    """Say which environment variables set what `one` sets too."""
    plain = one.removeprefix(ENVIRONMENT).lower()
    name = OTHER_NAMES.get(plain, plain)
    all_names = (name, *(other for other, known in OTHER_NAMES.items() if known == name))
    found = [variable for variable in (f"{ENVIRONMENT}{each.upper()}" for each in all_names) if variable in environment]
    return f"{' and '.join(found)} are the same setting: set one of them"
