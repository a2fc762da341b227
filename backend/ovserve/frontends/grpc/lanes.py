"""Work in lanes: what is in the same one is done in the order it came, one after the other."""

import re
import threading
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, TypeAlias

from google.protobuf.message import DecodeError
from tritonclient.grpc import service_pb2 as pb

from ovserve.frontends.grpc import request_bytes
from ovserve.http2.inbox import Message

Work: TypeAlias = Callable[[], None]

_NAME = "sequence_id"
_MARK = re.compile(_NAME.encode())
# To look for the mark takes 0.3 ms for each MiB, and a request of the common form may have it only as an input's name.
_LARGE_BYTES = 1 << 16


class Lanes:
    """Has work done in the threads of `submit`."""

    def __init__(self, submit: Callable[..., Any]) -> None:
        self._submit = submit
        self._waiting: dict[Hashable, deque[Work]] = {}  # by lane in which something is being done
        self._lock = threading.Lock()

    def put(self, lane: Hashable | None, work: Work) -> None:
        """Do `work` after all that is in its lane already; without a lane at once."""
        if lane is None:
            self._submit(work)
            return
        with self._lock:
            waiting = self._waiting.get(lane)
            if waiting is not None:
                waiting.append(work)
                return
            self._waiting[lane] = deque()
        self._submit(self._do, lane, work)

    def _do(self, lane: Hashable, work: Work) -> None:
        try:
            work()
        finally:
            with self._lock:
                waiting = self._waiting[lane]
                follower = waiting.popleft() if waiting else None
                if follower is None:
                    del self._waiting[lane]
            if follower is not None:
                self._submit(self._do, lane, follower)


def lane_of(data: Message) -> Hashable | None:
    """Tell which sequence of which model a ModelInferRequest belongs to; None for those that may overtake each other.

    Only what names a sequence somewhere is read. Of those that tell the id by an input, all of a model are in one lane.
    """
    if len(data) > _LARGE_BYTES and (layout := request_bytes.layout(data)) is not None:
        return layout.model if _NAME in layout.names else None
    if _MARK.search(data) is None:
        return None
    message = pb.ModelInferRequest()
    try:
        message.ParseFromString(bytes(data))
    except DecodeError:
        return None  # whoever answers it says so
    if _NAME in message.parameters:
        parameter = message.parameters[_NAME]
        kind = parameter.WhichOneof("parameter_choice")
        return message.model_name, kind and getattr(parameter, kind)
    return message.model_name if any(tensor.name == _NAME for tensor in message.inputs) else None
