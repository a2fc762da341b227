"""A worker: `python -m ovserve.workers.member SOCKET LIFELINE FILES`, three descriptors that it inherits."""

import json
import os
import signal
import socket
import sys
import threading
import traceback
from typing import NoReturn

from ovserve.bus_errors import BUS_ERRORS
from ovserve.errors import CannotStart
from ovserve.freed_memory import keep_freed_memory
from ovserve.observability import logs
from ovserve.open_files import allow_open_files
from ovserve.processes.channel import Channel
from ovserve.processes.lifeline import die_with
from ovserve.processes.worker_log import send_log
from ovserve.signals import Signals
from ovserve.workers.letters import values
from ovserve.workers.member.member import Member
from ovserve.workers.member.server_side import ServerSide

_CANNOT_START = 1
_FAULT = 70  # of ours
_LONGEST = 1 << 16


def main(end: int, lifeline: int, files: int) -> None:
    """Work until the server says stop, or has gone."""
    die_with(lifeline)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # they are for the server, which tells its workers
        signal.signal(number, lambda *_: None)
    allow_open_files()
    keep_freed_memory()
    channel = Channel(socket.socket(fileno=end))
    send_log(channel)
    try:
        with Signals(BUS_ERRORS.handlers()):
            _work(channel, socket.socket(fileno=files))
    except Exception:  # noqa: BLE001 - without this thread there is nothing left to do
        traceback.print_exc()
        _leave(_FAULT)
    _leave(0)


def _work(channel: Channel, files: socket.socket) -> None:
    first = channel.receive()
    if first is None:
        return
    logs.set_level(first.head["level"])
    sys.path += [place for place in first.head["path"] if place not in sys.path]
    server = ServerSide(channel)
    try:
        member = Member(server, values.read(first.head["settings"]), values.read(first.head["budget"]))
    except CannotStart as error:
        server.say("failed", sentence=str(error))
        _leave(_CANNOT_START)
    member.begin()
    threading.Thread(target=_take_files, args=(member, files), name="files", daemon=True).start()
    server.say("hello")
    while (frame := channel.receive()) is not None:
        member.take(frame)


def _take_files(member: Member, files: socket.socket) -> None:
    while True:
        data, descriptors, _, _ = socket.recv_fds(files, _LONGEST, 1)
        if not data:
            return
        if descriptors:
            member.take_file(json.loads(data), descriptors[0])


def _leave(code: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
