"""What can go wrong, told without any protocol.

OVServeError
|-- InvalidInput        the request contradicts the model or the protocol: fix the request
|   |-- WrongTensors    the set of inputs or outputs does not fit the model
|   |-- WrongDatatype   a tensor's datatype does not fit the model
|   |-- WrongShape      a tensor's shape does not fit the model
|   |-- WrongContent    a tensor's bytes or values do not fit its own shape
|   `-- RegionChanged   what was shared memory when it was registered is not there any more
|-- ShapeRefused        the model is served in any shape that it can take, and cannot take this one
|-- NotFound            no such model or version
|-- AlreadyExists       a name is taken
|-- NotReady            it exists, but cannot answer now
|-- NotInThisMode       models are loaded and unloaded by request only in mode explicit
|-- NotAllowed          whoever asks may not do that
|-- Unauthenticated     who asks is not known: no key came, or none that is known
|-- NotInRepository     a model that is to be loaded is not there, or nothing that could be taken for its configuration
|-- LoadRejected        a model that is to be loaded cannot be
|-- ReloadFailed        a look at everything, by request, found what cannot be served
|   |-- ConfigMissing       the configuration file cannot be opened
|   |-- ConfigRefused       the configuration file as a whole, or the repository, cannot be used
|   |-- PlaceMissing        a model's folder cannot be used
|   |-- EntryRefused        a model or pipeline is not configured as it has to be
|   `-- VersionsFailed      versions that are there cannot be loaded
|-- Overloaded          try again later
|-- NotInSequence       the request does not say which sequence it belongs to, or that it starts one (Triton)
|-- UnknownSequence     no sequence has this id: it never began, has ended, or was idle for too long (OVMS)
|-- SequenceEnded       its last request is here already (OVMS)
|-- TooManySequences    as many as there may be have begun and not ended
|-- NoTurn              the policy of the model's queue lets it wait no longer
|-- DeadlineExceeded    the caller's time is over
|-- Cancelled           the caller has gone
|-- Unsupported         the server does not do this
|-- InferenceFailed     the model failed on a request that fits it
|-- NoContent           a pipeline found nothing, and what nothing looks like is not known
|-- LoadFailed          a model version cannot be served; the cause may be told to clients, the path may not
|   |-- NotConfigured   what lies there cannot be taken for its configuration
|   |-- NotThere        the folder or file that is configured does not exist
|   |-- NoVersion       there is a folder, and no version in it
|   |-- NotOpened       a configuration file cannot be opened
|   `-- Unreadable      whether it can be served is not known: its files cannot be looked at
|-- ConfigInvalid       a configuration file as a whole is refused; its name may be told to clients, its path may not
`-- CannotStart         nothing can be served, for the one who starts the server
"""

from enum import Enum, auto
from pathlib import Path


class Code(Enum):
    """Neutral reason of a failure; each protocol has one table from here to its own status."""

    INVALID = auto()
    PRECONDITION = auto()
    NOT_FOUND = auto()
    EXISTS = auto()
    NOT_READY = auto()
    OVERLOADED = auto()
    DEADLINE = auto()
    CANCELLED = auto()
    UNSUPPORTED = auto()
    FORBIDDEN = auto()
    UNAUTHENTICATED = auto()
    ABORTED = auto()
    INTERNAL = auto()


class OVServeError(Exception):
    """A failure the caller is told about in one sentence."""

    code: Code = Code.INTERNAL


class InvalidInput(OVServeError):
    code = Code.INVALID


class WrongTensors(InvalidInput):
    pass


class WrongDatatype(InvalidInput):
    pass


class WrongShape(InvalidInput):
    pass


class WrongContent(InvalidInput):
    pass


class RegionChanged(InvalidInput):
    pass


class ShapeRefused(OVServeError):
    code = Code.PRECONDITION


class NotFound(OVServeError):
    code = Code.NOT_FOUND


class AlreadyExists(OVServeError):
    code = Code.EXISTS


class NotReady(OVServeError):
    code = Code.NOT_READY


class NotInThisMode(OVServeError):
    code = Code.NOT_READY


class NotAllowed(OVServeError):
    code = Code.FORBIDDEN


class Unauthenticated(OVServeError):
    code = Code.UNAUTHENTICATED


class NotInRepository(OVServeError):
    code = Code.INTERNAL  # as Triton


class LoadRejected(OVServeError):
    code = Code.INVALID  # as Triton


class ReloadFailed(OVServeError):
    pass


class ConfigMissing(ReloadFailed):
    pass


class ConfigRefused(ReloadFailed):
    code = Code.PRECONDITION  # as OVMS


class PlaceMissing(ReloadFailed):
    code = Code.INVALID  # as OVMS


class EntryRefused(ReloadFailed):
    pass


class VersionsFailed(ReloadFailed):
    pass


class Overloaded(OVServeError):
    code = Code.OVERLOADED


class NotInSequence(OVServeError):
    code = Code.INVALID


class UnknownSequence(OVServeError):
    code = Code.NOT_FOUND


class SequenceEnded(OVServeError):
    code = Code.PRECONDITION


class TooManySequences(OVServeError):
    code = Code.NOT_READY


class NoTurn(OVServeError):
    code = Code.NOT_READY  # as Triton


class DeadlineExceeded(OVServeError):
    code = Code.DEADLINE


class Cancelled(OVServeError):
    code = Code.CANCELLED


class Unsupported(OVServeError):
    code = Code.UNSUPPORTED


class InferenceFailed(OVServeError):
    code = Code.INTERNAL


class NoContent(OVServeError):
    code = Code.ABORTED  # as OVMS


class LoadFailed(OVServeError):
    """A model version cannot be served.

    The sentence is fit for clients; `path` is for the server's log only.
    """

    code = Code.NOT_READY

    def __init__(self, cause: str, path: Path) -> None:
        super().__init__(cause)
        self.path = path


class NotConfigured(LoadFailed):
    """What should be the configuration of a model is none, or is that of another one."""


class NotThere(LoadFailed):
    """The folder or file that is configured does not exist."""


class NoVersion(LoadFailed):
    """A folder is there, and no version of a model in it."""


class NotOpened(LoadFailed):
    """A configuration file is not there, or may not be read."""


class Unreadable(LoadFailed):
    """A folder is there but cannot be looked at, so nothing is known of what is in it."""


class ConfigInvalid(OVServeError):
    """A configuration file is refused as a whole.

    The sentence names the file without its folder and is fit for clients; `path` is for the server's log only.
    """

    code = Code.PRECONDITION

    def __init__(self, cause: str, path: Path, *, is_opened: bool = True) -> None:
        super().__init__(f"{path.name}: {cause}")
        self.path = path
        self.is_opened = is_opened


class CannotStart(OVServeError):
    """Nothing can be served; the sentence says why, for the one who starts the server."""
