"""What is configured and what lies on disk, as far as it counts now."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from ovserve.errors import LoadFailed, Unreadable
from ovserve.observability.logs import get_logger
from ovserve.repository.identities import identities
from ovserve.repository.look import SeenModel, look
from ovserve.repository.source import Configured, Source
from ovserve.serving.load_request import Request

ALL = "*"
_MOST_LOOKS = 5

logger = get_logger("ovserve.repository")


class View:
    """Holds the last look: `configured`, and `seen` of each model of it.

    `follows` says whether changes on disk count by themselves. If not, only models that are `chosen` count, and each as
    it was when its load was asked for. A source that cannot be looked at leaves the view as it is; `lost` says why.
    """

    def __init__(self, source: Source, *, follows: bool, chosen: Collection[str]) -> None:
        self.configured = Configured({})
        self.seen: Mapping[str, SeenModel] = {}
        self._source = source
        self.follows = follows
        self._chosen = set(chosen)
        self.lost: LoadFailed | None = None

    def at_start(self) -> Collection[str]:
        """Name the models to load at the start; raises `LoadFailed` where nothing can be known."""
        configured = self._source.configured()
        return configured.models.keys() | configured.pipelines.keys() if ALL in self._chosen else self._chosen

    def look(self, asked: Sequence[Request], pending: Sequence[Request]) -> None:
        """Look anew; `asked` are the requests that are new, `pending` all that are not answered yet."""
        try:
            configured, seen = self._seen_in_one_place(asked, pending)
        except LoadFailed as error:
            if str(self.lost) != str(error):
                logger.warning("the repository cannot be looked at, what is served stays", cause=str(error))
            self.lost = error
            return
        self.lost = None
        if not self.follows:
            configured, seen = self._with_what_served(configured, seen)
        self.configured, self.seen = configured, seen

    def _seen_in_one_place(
        self, asked: Sequence[Request], pending: Sequence[Request]
    ) -> tuple[Configured, dict[str, SeenModel]]:
        """Look, and again where a repository was moved meanwhile: it must not seem to be one whose models are gone."""
        for _ in range(_MOST_LOOKS):
            before = identities(self._source.paths)
            found = self._source.configured()
            fresh = self._fresh(asked, pending, found)
            configured = found if fresh is None else self._only_chosen(found, fresh)
            seen = self._look_at(configured, fresh)
            after = identities(self._source.paths)
            if all(after[path] == before[path] for path in before.keys() & after.keys()):
                break
        return configured, seen

    def _with_what_served(
        self, configured: Configured, seen: Mapping[str, SeenModel]
    ) -> tuple[Configured, dict[str, SeenModel]]:
        """Have a model whose load was asked for and of which there is no version to load go on as it was."""
        lost = {name for name, model in seen.items() if model.error is not None and name in self.configured.models}
        models = {**configured.models, **{name: self.configured.models[name] for name in lost}}
        kept = {name: replace(self.seen[name], error=seen[name].error) for name in lost}
        return replace(configured, models=models), {**seen, **kept}

    def _look_at(self, configured: Configured, fresh: Collection[str] | None) -> dict[str, SeenModel]:
        seen = {}
        for name, config in configured.models.items():
            if fresh is not None and name not in fresh:
                seen[name] = self.seen[name]
                continue
            now = look(config.base_path, configured.roots.get(name))
            if isinstance(now.error, Unreadable) and name in self.seen:
                now = replace(self.seen[name], error=now.error)
            seen[name] = now
        return seen

    def _fresh(self, asked: Sequence[Request], pending: Sequence[Request], found: Configured) -> set[str] | None:
        """Begin what was asked for; return the models whose files count as they are now (None: all).

        What a pipeline runs is loaded with it.
        """
        for request in asked:
            request.refusal = found.errors.get(request.model)
            is_there = request.model in found.models or request.model in found.pipelines
            request.found = is_there and request.refusal is None
            if request.load and request.found:
                self._chosen |= found.parts(request.model)
            elif not request.load:
                self._chosen -= self.configured.parts(request.model) if request.with_parts else {request.model}
        if self.follows:
            return None
        return {part for request in pending if request.found for part in found.parts(request.model)}

    def _only_chosen(self, found: Configured, fresh: Collection[str]) -> Configured:
        models = {name: config for name, config in self.configured.models.items() if name in self._chosen}
        models |= {name: config for name, config in found.models.items() if name in self._chosen and name in fresh}
        pipelines = {name: config for name, config in self.configured.pipelines.items() if name in self._chosen}
        pipelines |= {name: config for name, config in found.pipelines.items() if name in self._chosen & set(fresh)}
        errors = {name: error for name, error in found.errors.items() if name in self._chosen}
        return Configured(models, errors, found.roots, pipelines)
