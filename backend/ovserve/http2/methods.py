"""What a server can be asked: paths, and who answers there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeAlias

from ovserve.handler_threads import HandlerThreads
from ovserve.http2.call import Answer, Call
from ovserve.http2.head import Head
from ovserve.http2.inbox import Message
from ovserve.http2.status import Refused

Work: TypeAlias = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Unary:
    """One message in, one out; `answer` may raise `Refused`.

    It is called in `threads`. Without any it is called in a thread that looks after connections: for what never waits.
    """

    answer: Callable[[Message, Call], Answer]
    threads: HandlerThreads | None = None
    is_stream: ClassVar = False


class Sink(Protocol):
    """Where the messages of a streaming call go; nothing here may wait."""

    def message(self, data: Message) -> Work | None:
        """Take a message, and return what is to be done about it, in any thread; raises `Refused`."""
        ...

    def half_closed(self) -> None:
        """Know that no message follows."""
        ...


@dataclass(frozen=True, slots=True)
class Streaming:
    """Any number of messages both ways; `open` may raise `Refused`, and must not wait.

    What the sink returns is done in `threads`.
    """

    open: Callable[[Call], Sink]
    threads: HandlerThreads
    is_stream: ClassVar = True


Method: TypeAlias = Unary | Streaming

# Looks at a call before any of its message is received; raises `Refused`.
Check: TypeAlias = Callable[[Head, str], None]

__all__ = ["Check", "Method", "Refused", "Sink", "Streaming", "Unary", "Work"]
