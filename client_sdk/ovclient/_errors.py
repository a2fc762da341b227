"""What can go wrong, and what to do about it.

OVClientError               base of all; `code` is the gRPC status, None where no server was asked; over REST the same
|-- InvalidSetup            the client's own settings cannot work: fix the address, certificates or timeout
|-- InvalidRequest          the request contradicts the model: fix names, shapes, datatypes or values
|   `-- MessageTooLarge     a message is over a size limit: send less, or raise the limit of that side
|-- NotFound                the server has no such model or version: fix the name, or load the model
|   `-- UnknownTensor       the answer has no output of that name: fix the name (also a KeyError)
|-- NotReady                the model is there but cannot answer now: wait for `ready(model)`
|-- Overloaded              the server's queue is full: try again later, or send less at a time
|-- AccessDenied            the server does not let this client in: fix the credentials
|-- Unsupported             the server does not offer this call: do without it
|-- ConnectionFailed        no server was reached, or it went away: check address, port and TLS (also a ConnectionError)
|-- DeadlineExceeded        no answer in time: raise `timeout`, or look at the server's load (also a TimeoutError)
|-- ServerFailure           the server failed by itself: read its log
|-- BadResponse             the answer breaks the protocol: report it to the server's makers
`-- ClientClosed            `close()` was called before or during the call: make a new client
"""

import grpc


class OVClientError(Exception):
    """A failure told in one sentence; `code` is the gRPC status, or None where no server was asked.

    Over REST it is the gRPC status of the same meaning.
    """

    def __init__(self, message: str, code: grpc.StatusCode | None = None) -> None:
        super().__init__(message)
        self.code = code

    def __str__(self) -> str:
        return str(self.args[0])


class InvalidSetup(OVClientError):
    """The client's own settings cannot work."""


class InvalidRequest(OVClientError):
    """The request contradicts the model."""


class MessageTooLarge(InvalidRequest):
    """A message is over the client's or the server's size limit."""


class NotFound(OVClientError):
    """The server has no such model or version."""


class UnknownTensor(NotFound, KeyError):
    """The answer has no output of that name."""


class NotReady(OVClientError):
    """The model is there but cannot answer now."""


class Overloaded(OVClientError):
    """The server's queue is full."""


class AccessDenied(OVClientError):
    """The server does not let this client in."""


class Unsupported(OVClientError):
    """The server does not offer this call."""


class ConnectionFailed(OVClientError, ConnectionError):
    """No server was reached, or it went away during the call."""


class DeadlineExceeded(OVClientError, TimeoutError):
    """No answer came in time."""


class ServerFailure(OVClientError):
    """The server failed by itself."""


class BadResponse(OVClientError):
    """The answer breaks the protocol."""


class ClientClosed(OVClientError):
    """The client was closed before or during the call."""
