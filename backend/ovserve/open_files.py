"""How many files and connections the process may have open."""

import resource

_ENOUGH = 1 << 16


def allow_open_files() -> None:
    """Take as many as the system lets us have, within reason: it often starts processes with 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(_ENOUGH, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
