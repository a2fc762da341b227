"""Texts that may hold a secret, as they may be shown."""

import re

# What stands before the host of an address, as far as that can be told: a password may hold any character.
_USER = re.compile(r"(?<=//).*@|^[^/]*:[^/]*@", re.DOTALL)
_PEM = re.compile(r"-----BEGIN .*-----END [^-]*-----|-----BEGIN .*", re.DOTALL)


def redacted(value: str) -> str:
    """Take the user and password of an address out of a value."""
    return _USER.sub("...@", value)


def without_pem(sentence: str) -> str:
    """Take out a PEM, of a key perhaps, that was given where its file should be."""
    return _PEM.sub("...", sentence)
