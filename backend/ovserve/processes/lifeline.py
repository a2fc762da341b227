"""A worker and whatever it started end with the server, however that ends and whatever the model is doing."""

import fcntl
import os
import signal


def die_with(lifeline: int) -> None:
    """Have this group of processes killed when the other end of the pipe `lifeline` is closed.

    The kernel does that (fcntl(2), F_SETSIG), so it works too while the model keeps Python's lock.
    """
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
