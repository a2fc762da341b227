"""The log lines of a worker go to the server, which writes them among its own."""

import logging

from ovserve.processes.channel import Channel, TooLarge

_LONGEST = 1 << 16


class _Handler(logging.Handler):
    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    def createLock(self) -> None:  # noqa: N802 - as in logging
        """Have none: a garbage collection may log anywhere, and the channel needs none."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        fields = getattr(record, "fields", {"event": record.getMessage()})
        head = {"kind": "log", "logger": record.name, "level": record.levelno}
        try:
            self._channel.send({**head, "fields": fields})
        except TooLarge:
            self._channel.send({**head, "fields": {key: str(value)[:_LONGEST] for key, value in fields.items()}})


def send_log(channel: Channel) -> None:
    """Have this process's lines go over `channel`."""
    library = logging.getLogger("ovserve")
    library.handlers = [_Handler(channel)]
    library.propagate = False
