class CommandFailed(Exception):
    """A command cannot go on; the message is what the user reads on stderr."""


class UnknownName(CommandFailed):
    """A tensor's name is wrong; the message is OVMS's, several lines long."""


class WrongUsage(CommandFailed):
    """The flags contradict each other."""
