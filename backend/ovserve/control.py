"""The door for those who manage: what is in the repository and how it is configured."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from ovserve.errors import LoadFailed, LoadRejected, NotAllowed, NotConfigured, NotFound, NotInRepository, NotInThisMode
from ovserve.log_settings import Value, change_log_settings, log_settings
from ovserve.repository.uploads import Uploads
from ovserve.serving.reconciler import Reconciler
from ovserve.serving.registry import Entry, Registry, State, VersionStatus


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One line of the repository index; `version` is None for a model in which none was found.

    `reason` says why a version failed or, where it is READY, why it is served otherwise than asked for.
    """

    name: str
    version: int | None
    state: str
    reason: str


class Fault(Enum):
    """What keeps a version from being served: it failed, or a pipeline lacks a model or does not fit it."""

    FAILED = auto()
    MEMBER_MISSING = auto()


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a version stands in its life, as TensorFlow Serving and OVMS tell it.

    `reason` says what the fault is or, where there is none, why it is served otherwise than asked for, or not yet.
    """

    version: int
    state: State
    fault: Fault | None
    reason: str


class Control:
    """Protocol-neutral management; `uploads` are given where models are loaded and unloaded by request.

    `is_open` says whether those who ask may do that; `log_changed` is called when what is logged has changed.
    """

    def __init__(
        self,
        registry: Registry,
        reconciler: Reconciler,
        uploads: Uploads | None,
        *,
        is_open: bool,
        log_changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._registry = registry
        self._reconciler = reconciler
        self._uploads = uploads
        self._is_open = is_open
        self._log_changed = log_changed

    def index(self, *, ready_only: bool = False) -> list[IndexRow]:
        """List every version known, by name and number, in Triton's words: READY, LOADING, UNLOADING, UNAVAILABLE.

        In mode explicit also, by name only, what the repository has and nobody asked for.
        """
        found = self._found()
        entries = {
            name: entry
            for name, entry in self._registry.entries.items()
            if not entry.removed or (entry.versions and name in found)
        }
        rows = [row for name, entry in entries.items() for row in _rows(name, entry)]
        rows += [IndexRow(name, None, "", "") for name in found if name not in entries]
        rows.sort(key=lambda row: (row.name, row.version or 0))
        return [row for row in rows if row.state == "READY" or not ready_only]

    def standings(self, name: str, version: int | None = None) -> list[Standing]:
        """Tell the state of each version that is known, or of one, also of models that are gone; raises `NotFound`."""
        entry = self._registry.entries.get(name)
        if entry is None:
            raise NotFound(f"model '{name}' is not found")
        if version is not None and version not in entry.versions:
            known = ", ".join(map(str, sorted(entry.versions))) or "none"
            raise NotFound(f"model '{name}' version {version} is not found; known: {known}")
        numbers = sorted(entry.versions) if version is None else [version]
        failed = Fault.MEMBER_MISSING if self._reconciler.is_pipeline(name) else Fault.FAILED
        return [_standing(number, entry, failed) for number in numbers]

    def all_standings(self) -> dict[str, list[Standing]]:
        """Tell the state of every version of every model, by name."""
        return {name: self.standings(name) for name in sorted(self._registry.entries)}

    def reload(self) -> bool:
        """Look at the configuration and the repository now, try again what failed, and tell whether anything changed.

        What follows from the look is done when this returns. Raises `NotAllowed`, and `ReloadFailed` where not
        all can be served; what can be is served all the same.
        """
        self._check_open()
        return self._reconciler.asked.reload()

    def load(self, name: str, config: str | None = None, files: Mapping[str, bytes] | None = None) -> None:
        """Load a model as it lies in the repository now, or load it anew where it has changed.

        `config`, Triton's as JSON, and `files`, by their paths in the model's folder, take the place of what lies there
        until the next load. Raises `NotInThisMode`, `NotAllowed`, `NotInRepository`, and `LoadRejected` where a version
        cannot be loaded; what was served of it before goes on.
        """
        self._checked_uploads().put(name, config, files or {})
        request = self._reconciler.asked.request(name, load=True)
        if not request.found:
            raise _not_found(name, request.refusal)
        entry = self._registry.entries.get(name)
        failures = sorted(request.failures.items())
        causes = [f"version {version} is at UNAVAILABLE state: {cause};" for version, cause in failures]
        if not causes and entry is not None and entry.cause is not None:
            causes = [entry.cause]
        if causes:
            raise LoadRejected(f"load failed for model '{name}': {' '.join(causes)}")

    def unload(self, name: str, *, with_parts: bool = False) -> None:
        """Stop serving a model, after the requests in flight; one that is not served needs nothing.

        `with_parts` unloads the models of a pipeline too.

        Raises `NotInThisMode`, `NotAllowed`.
        """
        uploads = self._checked_uploads()
        self._reconciler.asked.request(name, load=False, with_parts=with_parts)
        uploads.put(name, None, {})

    def log_settings(self, changes: Mapping[str, Value]) -> dict[str, Value]:
        """Change what is logged, and how, and tell what is in force then.

        Raises `NotAllowed`, `InvalidInput`, `Unsupported`.
        """
        self.check_may_set("log settings")
        if changes:
            change_log_settings(changes)
            self._log_changed()
        return log_settings()

    def check_may_set(self, what: str) -> None:
        """Raise `NotAllowed` where those who ask may not change how the server works."""
        if not self._is_open:
            raise NotAllowed(
                f"{what} are not told or changed by request where the server listens to other machines, "
                f"unless --api_key_file guards it or --allow_remote_management is given"
            )

    def _checked_uploads(self) -> Uploads:
        if self._uploads is None:
            raise NotInThisMode("models are loaded and unloaded by request only with --model_control_mode explicit")
        self._check_open()
        return self._uploads

    def _check_open(self) -> None:
        if not self._is_open:
            raise NotAllowed(
                "models are not loaded and unloaded by request where the server listens to other machines, "
                "unless --api_key_file guards it or --allow_remote_management is given"
            )

    def _found(self) -> Collection[str]:
        if self._uploads is None:
            return ()
        try:
            found = self._uploads.configured()
        except LoadFailed:
            return ()
        return found.models.keys() | found.pipelines.keys() | found.errors.keys()


def _not_found(name: str, refusal: LoadFailed | None) -> NotInRepository | LoadRejected:
    """Say what Triton says, which makes out a configuration before it loads, and why."""
    if refusal is None or isinstance(refusal, NotConfigured):
        why = "" if refusal is None else f": {refusal}"
        return NotInRepository(f"failed to load '{name}', failed to poll from model repository{why}")
    return LoadRejected(f"load failed for model '{name}': {refusal}")


def _rows(name: str, entry: Entry) -> list[IndexRow]:
    if not entry.versions:
        return [IndexRow(name, None, "UNAVAILABLE", entry.cause or "")]
    return [
        IndexRow(name, number, _state(status), _reason(status, entry))
        for number, status in sorted(entry.versions.items())
    ]


def _reason(status: VersionStatus, entry: Entry) -> str:
    """Join what concerns the version and, where it is served or nothing is any more, what concerns the whole model."""
    is_last = status.state is State.END and not entry.available
    of_model = entry.cause if is_last or status.state is State.AVAILABLE else None
    return "; ".join(filter(None, (status.cause or status.note, of_model)))


def _standing(number: int, entry: Entry, failed: Fault) -> Standing:
    status = entry.versions[number]
    if status.state is State.END:
        lost = entry.cause if not entry.available else None
        return Standing(number, status.state, None if lost is None else failed, lost or "")
    fault = failed if status.cause is not None else None
    return Standing(number, status.state, fault, _reason(status, entry))


def _state(status: VersionStatus) -> str:
    match status.state:
        case State.AVAILABLE:
            return "READY"
        case State.START | State.LOADING if status.cause is None:
            return "LOADING"
        case State.UNLOADING:
            return "UNLOADING"
        case _:
            return "UNAVAILABLE"
