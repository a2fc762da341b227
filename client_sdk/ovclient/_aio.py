# ruff: noqa: ASYNC109 - a deadline, which the server is told; not a local alarm
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from numpy.typing import ArrayLike

from ovclient import _calls, _pipeline_config
from ovclient._aio_transport import AsyncTransport, async_transport
from ovclient._base import BaseClient
from ovclient._encode import Parameter
from ovclient._ensemble import Member, members
from ovclient._errors import InvalidRequest, NotFound
from ovclient._sequence import with_sequence
from ovclient._settings import Settings
from ovclient._types import InferResult, ModelIndex, ModelMetadata, ServerMetadata
from ovclient.pipeline import Pipeline

T = TypeVar("T")


class AsyncClient(BaseClient):
    """The asyncio twin of `Client`, gRPC or REST; one client may be shared by all tasks of one event loop.

    Every method takes `timeout` in seconds (None: the client's own, but longer for loads) and raises an
    `OVClientError`.
    """

    async def infer(
        self,
        model: str,
        inputs: Mapping[str, ArrayLike] | ArrayLike,
        *,
        version: str | int = "",
        outputs: Sequence[str] | None = None,
        id: str = "",  # noqa: A002 - KServe's word
        parameters: Mapping[str, Parameter] | None = None,
        sequence_id: int | str = 0,
        sequence_start: bool = False,
        sequence_end: bool = False,
        priority: int = 0,
        timeout: float | None = None,
    ) -> InferResult:
        """Run `model` on arrays by input name, or on a bare array where it has one input.

        Arrays are sent as they are, never cast. `outputs` names the outputs wanted, None wants all. The requests of a
        sequence have one `sequence_id`; the first says `sequence_start`, the last `sequence_end`.
        """
        if isinstance(inputs, Mapping):
            named = inputs
        else:
            named = {await self._only_input(model, str(version), inputs, timeout): inputs}
        said = with_sequence(parameters, sequence_id, start=sequence_start, end=sequence_end, priority=priority)
        call = _calls.infer(model, named, version=str(version), outputs=outputs, request_id=id, parameters=said)
        try:
            return await self._run(call, timeout)
        except (InvalidRequest, NotFound):
            self._input_names.pop((model, str(version)), None)  # the model may have been replaced
            raise

    async def metadata(self, model: str, version: str | int = "", *, timeout: float | None = None) -> ModelMetadata:
        return await self._run(_calls.metadata(model, str(version)), timeout)

    async def server_metadata(self, *, timeout: float | None = None) -> ServerMetadata:
        return await self._run(_calls.server_metadata(), timeout)

    async def live(self, *, timeout: float | None = None) -> bool:
        return await self._run(_calls.live(), timeout)

    async def ready(self, model: str | None = None, version: str | int = "", *, timeout: float | None = None) -> bool:
        """Whether `model` can answer; without a name, whether the server can."""
        return await self._run(_calls.ready(model, str(version)), timeout)

    async def pipeline(self, name: str, *, timeout: float | None = None) -> Pipeline:
        """The graph of pipeline `name`; see `Client.pipeline`."""
        config = await self._run(_calls.config(name), timeout)
        known = {member: await self._member(member, timeout) for member in members(config)}
        return _pipeline_config.pipeline(name, config, known)

    async def repository_index(self, *, ready: bool = False, timeout: float | None = None) -> tuple[ModelIndex, ...]:
        """Every version of every model the server knows; `ready=True` keeps those that can answer."""
        return await self._run(_calls.repository_index(ready=ready), timeout)

    async def load_model(
        self,
        name: str,
        config: str | Mapping[str, Any] | None = None,
        files: Mapping[str, bytes] | None = None,
        *,
        timeout: float | None = None,
    ) -> None:
        """Load `name` as it lies in the server's repository, or load it anew; see `Client.load_model`.

        Without `timeout` this waits ten minutes, or the client's own timeout where that is longer.
        """
        await self._run(_calls.load_model(name, config, files), self._load_deadline_s(timeout))
        self._forget(name)

    async def unload_model(self, name: str, *, unload_dependents: bool = False, timeout: float | None = None) -> None:
        """Take `name` out of service; a name that is not served is fine.

        `unload_dependents` also unloads the models that only an ensemble `name` needed. Waits as `load_model` does,
        since a server may first finish the requests it has.
        """
        call = _calls.unload_model(name, unload_dependents=unload_dependents)
        await self._run(call, self._load_deadline_s(timeout))
        self._forget(name)

    async def close(self) -> None:
        """Close the connection; calls under way fail with `ClientClosed`."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _connect(self, settings: Settings) -> None:
        self._transport: AsyncTransport = async_transport(settings)

    async def _only_input(self, model: str, version: str, value: Any, timeout: float | None) -> str:
        name = self._input_names.get((model, version))
        if name is None:
            name = _calls.only_input(await self.metadata(model, version, timeout=timeout), value)
            self._input_names[model, version] = name
        return name

    async def _member(self, member: Member, timeout: float | None) -> ModelMetadata | None:
        try:
            return await self.metadata(*member, timeout=timeout)
        except _pipeline_config.NO_METADATA:
            return None

    async def _run(self, call: _calls.Call[T], timeout: float | None) -> T:
        return call.read(await self._transport.run(call.rpc, call.request, self._deadline_s(timeout)))
