"""Services written for gRPC's own server (health, reflection): their handlers, called as it would call them."""

from collections.abc import Iterator
from functools import partial
from queue import SimpleQueue
from typing import Any

import grpc

from ovserve.handler_threads import HandlerThreads
from ovserve.http2.call import Call
from ovserve.http2.inbox import Message
from ovserve.http2.methods import Method, Streaming, Unary, Work
from ovserve.http2.status import INTERNAL, Refused


class Registrar:
    """Takes the place of a `grpc.Server` where generated code adds a service to it."""

    def __init__(self, threads: HandlerThreads) -> None:
        self.methods: dict[str, Method] = {}
        self._threads = threads

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        for name, handler in handlers.items():
            self.methods[f"/{service}/{name}"] = _method(handler, self._threads)

    def add_generic_rpc_handlers(self, _handlers: Any) -> None:
        """Do nothing: the same methods are registered by name."""


def _method(handler: Any, threads: HandlerThreads) -> Method:
    if handler.unary_unary is not None:
        return Unary(partial(_answer, handler))
    return Streaming(partial(_open, handler, threads), threads)


def _answer(handler: Any, data: Message, call: Call) -> bytes:
    response = handler.unary_unary(_read(handler, data), call)
    if call.code is not grpc.StatusCode.OK:
        raise Refused(call.code, call.details)
    return bytes(handler.response_serializer(response))


def _read(handler: Any, data: Message) -> Any:
    try:
        return handler.request_deserializer(bytes(data))
    except Exception:  # noqa: BLE001 - whatever the message class raises
        raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "the message cannot be read") from None


def _open(handler: Any, threads: HandlerThreads, call: Call) -> "_OneMessage | _Messages":
    return _OneMessage(handler, call) if handler.unary_stream is not None else _Messages(handler, threads, call)


class _OneMessage:
    """One message in, any number out, sent by a callback: `experimental_non_blocking`."""

    def __init__(self, handler: Any, call: Call) -> None:
        self._handler = handler
        self._call = call
        self._message: Message | None = None

    def message(self, data: Message) -> Work | None:
        if self._message is not None:
            raise Refused(grpc.StatusCode.UNIMPLEMENTED, "the method takes exactly one message")
        self._message = data
        request = _read(self._handler, data)
        self._handler.unary_stream(request, self._call, self._send)
        return None

    def half_closed(self) -> None:
        if self._message is None:
            self._call.finish(grpc.StatusCode.UNIMPLEMENTED, "the method takes exactly one message")

    def _send(self, response: Any) -> None:
        if response is None:
            self._call.finish(self._call.code, self._call.details)
        else:
            self._call.send(self._handler.response_serializer(response))


class _Messages:
    """Any number both ways: the handler iterates over what comes, in a thread of its own."""

    def __init__(self, handler: Any, threads: HandlerThreads, call: Call) -> None:
        self._handler = handler
        self._call = call
        self._queue: SimpleQueue[Any] = SimpleQueue()
        if not call.add_callback(self.half_closed):
            self.half_closed()
        threads.submit(self._run)

    def message(self, data: Message) -> Work | None:
        self._queue.put(_read(self._handler, data))
        return None

    def half_closed(self) -> None:
        self._queue.put(None)

    def _requests(self) -> Iterator[Any]:
        while (request := self._queue.get()) is not None:
            yield request

    def _run(self) -> None:
        call = self._call
        try:
            for response in self._handler.stream_stream(self._requests(), call):
                call.send(self._handler.response_serializer(response))
        except Refused as refused:
            call.finish(refused.code, refused.details)
        except Exception:
            call.finish(grpc.StatusCode.INTERNAL, INTERNAL)
            raise
        else:
            call.finish(call.code, call.details)
