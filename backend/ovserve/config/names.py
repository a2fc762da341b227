"""What else a setting is called, and where `--help` shows it."""

from cyclopts import Group, Parameter

ACCEPTED = Group.create_ordered("Accepted without effect")

# For a setting that others have and that has no effect here.
WITHOUT_EFFECT = Parameter(group=ACCEPTED, show_default=False, show_choices=False)


def also(*names: str) -> Parameter:
    """Let a setting be given under other names too, which are written as their own program writes them."""
    return Parameter(alias=[f"--{name}" for name in names])
