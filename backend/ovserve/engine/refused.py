"""Why a model cannot be served as it is configured."""

NOT_RESHAPED = "Model could not be reshaped with requested shape"  # as OVMS (spec B.3, B.4)


class Refused(Exception):
    """One sentence, fit for clients; `Engine.load` adds the path and makes it a `LoadFailed`."""


class CannotReshape(Refused):
    """The model does not take the shape asked for; it may be served with its own."""
