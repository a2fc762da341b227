"""What can go wrong, told without any protocol.

OVServeError
|-- InvalidInput        the request contradicts the model or the protocol: fix the request
|   |-- WrongTensors    the set of inputs or outputs does not fit the model
|   |-- WrongDatatype   a tensor's datatype does not fit the model
|   |-- WrongShape      a tensor's shape does not fit the model
|   `-- WrongContent    a tensor's bytes or values do not fit its own shape
|-- ShapeRefused        the model is served in any shape that it can take, and cannot take this one
|-- NotFound            no such model or version
|-- AlreadyExists       a name is taken
|-- NotReady            it exists, but cannot answer now
|-- NotInThisMode       models are loaded and unloaded by request only in mode explicit
|-- NotAllowed          whoever asks may not do that
|-- NotInRepository     a model that is to be loaded is not there, or nothing that could be taken for its configuration
|-- LoadRejected        a model that is to be loaded cannot be
|-- Overloaded          try again later
|-- DeadlineExceeded    the caller's time is over
|-- Cancelled           the caller has gone
|-- Unsupported         the server does not do this
|-- InferenceFailed     the model failed on a request that fits it
|-- NoContent           a pipeline found nothing, and what nothing looks like is not known
|-- LoadFailed          a model version cannot be served; the cause may be told to clients, the path may not
|   |-- NotConfigured   what lies there cannot be taken for its configuration
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


class NotInRepository(OVServeError):
    code = Code.INTERNAL  # as Triton


class LoadRejected(OVServeError):
    code = Code.INVALID  # as Triton


class Overloaded(OVServeError):
    code = Code.OVERLOADED


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


class Unreadable(LoadFailed):
    """A folder is there but cannot be looked at, so nothing is known of what is in it."""


class ConfigInvalid(OVServeError):
    """A configuration file is refused as a whole.

    The sentence names the file without its folder and is fit for clients; `path` is for the server's log only.
    """

    code = Code.PRECONDITION

    def __init__(self, cause: str, path: Path) -> None:
        super().__init__(f"{path.name}: {cause}")
        self.path = path


class CannotStart(OVServeError):
    """Nothing can be served; the sentence says why, for the one who starts the server."""
