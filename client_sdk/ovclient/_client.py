from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from numpy.typing import ArrayLike

from ovclient import _calls, _pipeline_config
from ovclient._base import BaseClient
from ovclient._encode import Parameter
from ovclient._ensemble import Member, members
from ovclient._errors import InvalidRequest, NotFound
from ovclient._sequence import with_sequence
from ovclient._settings import Settings
from ovclient._transport import Transport, transport
from ovclient._types import InferResult, ModelIndex, ModelMetadata, ServerMetadata
from ovclient.pipeline import Pipeline

T = TypeVar("T")


class Client(BaseClient):
    """A model server over KServe v2, gRPC or REST; one client may be shared by any number of threads.

    Every method takes `timeout` in seconds (None: the client's own, but longer for loads) and raises an
    `OVClientError`.
    """

    def infer(
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
            named = {self._only_input(model, str(version), inputs, timeout): inputs}
        said = with_sequence(parameters, sequence_id, start=sequence_start, end=sequence_end, priority=priority)
        call = _calls.infer(model, named, version=str(version), outputs=outputs, request_id=id, parameters=said)
        try:
            return self._run(call, timeout)
        except (InvalidRequest, NotFound):
            self._input_names.pop((model, str(version)), None)  # the model may have been replaced
            raise

    def metadata(self, model: str, version: str | int = "", *, timeout: float | None = None) -> ModelMetadata:
        return self._run(_calls.metadata(model, str(version)), timeout)

    def server_metadata(self, *, timeout: float | None = None) -> ServerMetadata:
        return self._run(_calls.server_metadata(), timeout)

    def live(self, *, timeout: float | None = None) -> bool:
        return self._run(_calls.live(), timeout)

    def ready(self, model: str | None = None, version: str | int = "", *, timeout: float | None = None) -> bool:
        """Whether `model` can answer; without a name, whether the server can."""
        return self._run(_calls.ready(model, str(version)), timeout)

    def pipeline(self, name: str, *, timeout: float | None = None) -> Pipeline:
        """The graph of pipeline `name`: nodes, and the tensors that go from one to another.

        Of a Triton ensemble too, with shapes where its members' metadata can be had. A model that is neither is an
        `InvalidRequest`.
        """
        config = self._run(_calls.config(name), timeout)
        known = {member: self._member(member, timeout) for member in members(config)}
        return _pipeline_config.pipeline(name, config, known)

    def repository_index(self, *, ready: bool = False, timeout: float | None = None) -> tuple[ModelIndex, ...]:
        """Every version of every model the server knows; `ready=True` keeps those that can answer."""
        return self._run(_calls.repository_index(ready=ready), timeout)

    def load_model(
        self,
        name: str,
        config: str | Mapping[str, Any] | None = None,
        files: Mapping[str, bytes] | None = None,
        *,
        timeout: float | None = None,
    ) -> None:
        """Load `name` as it lies in the server's repository, or load it anew; returns when it can answer.

        `config`, JSON text or what becomes it, takes the place of the model's own configuration. `files`, content by
        path as in `{"1/model.onnx": data}`, takes the place of its folder; Triton then wants `config` too.

        Without `timeout` this waits ten minutes, or the client's own timeout where that is longer. When the time is
        up the server goes on loading: ask `ready` or `repository_index`.

        As Triton has it, a model that is not in the repository is a `ServerFailure`, over REST `InvalidRequest`; one
        that cannot be loaded `InvalidRequest`, over REST `NotFound`; and a server not in mode explicit, where models
        are loaded by request, `NotReady`.
        """
        self._run(_calls.load_model(name, config, files), self._load_deadline_s(timeout))
        self._forget(name)

    def unload_model(self, name: str, *, unload_dependents: bool = False, timeout: float | None = None) -> None:
        """Take `name` out of service; a name that is not served is fine.

        `unload_dependents` also unloads the models that only an ensemble `name` needed. Waits as `load_model` does,
        since a server may first finish the requests it has.
        """
        call = _calls.unload_model(name, unload_dependents=unload_dependents)
        self._run(call, self._load_deadline_s(timeout))
        self._forget(name)

    def close(self) -> None:
        """Close the connections; calls under way fail with `ClientClosed`."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _connect(self, settings: Settings) -> None:
        self._transport: Transport = transport(settings)

    def _only_input(self, model: str, version: str, value: Any, timeout: float | None) -> str:
        name = self._input_names.get((model, version))
        if name is None:
            name = _calls.only_input(self.metadata(model, version, timeout=timeout), value)
            self._input_names[model, version] = name
        return name

    def _member(self, member: Member, timeout: float | None) -> ModelMetadata | None:
        try:
            return self.metadata(*member, timeout=timeout)
        except _pipeline_config.NO_METADATA:
            return None

    def _run(self, call: _calls.Call[T], timeout: float | None) -> T:
        return call.read(self._transport.run(call.rpc, call.request, self._deadline_s(timeout)))
