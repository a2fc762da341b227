"""The file of keys: its grammar, and reading it again when it changes.

One key a line, `KEY`, which may do everything, or `KEY RIGHT,RIGHT`; in place of a key its SHA-256 as `sha256:HEX`.
Empty lines and lines that start with # say nothing. OVMS's file of one key is such a file.
"""

import threading
from collections.abc import Sequence
from pathlib import Path

from ovserve.errors import CannotStart, OVServeError
from ovserve.observability.logs import get_logger
from ovserve.security.fingerprint import fingerprint, read_bounded
from ovserve.security.keys import Key, Keys, Right, digest

_MOST_BYTES = 1 << 18
_MOST_KEYS = 256  # each is compared for each call
_HASHED = "sha256:"
_DIGEST_BYTES = 32
_RIGHTS = {right.value: right for right in Right}
_EVERY_RIGHT = frozenset(Right)

logger = get_logger("ovserve.security")


class WrongKeys(OVServeError):
    """The file holds no keys that can be used; the sentence names the line and says nothing of what stands there."""


class KeyFile:
    """The keys in force; a file that becomes wrong leaves the old ones in force, with one line in the log.

    Raises `CannotStart`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._looking = threading.Lock()
        self._seen = fingerprint([path])
        try:
            self._keys = _read(path)
        except WrongKeys as error:
            raise CannotStart(f"--api_key_file {path}: {error}") from error

    def current(self) -> Sequence[Key]:
        """Return the keys, those of a file that has changed too; never raises."""
        with self._looking:
            now = fingerprint([self._path])
            if now != self._seen:
                self._seen = now
                self._read_again()
            return self._keys

    def _read_again(self) -> None:
        try:
            self._keys = _read(self._path)
        except WrongKeys as error:
            reason = str(error)
            logger.warning("the new keys are refused, those before stay in force", file=str(self._path), reason=reason)
        else:
            logger.info("keys read again", file=str(self._path), keys=len(self._keys))


def make_keys(path: Path | None, one_key: str | None) -> Keys | None:
    """Make the keys of a file or, without one, of a text whose first line is the one key that may do everything.

    None where there is neither, and nobody is asked. Raises `CannotStart`.
    """
    if path is not None:
        return Keys(KeyFile(path).current)
    first_line = (one_key or "").strip().partition("\n")[0].strip()
    if not first_line:
        return None
    only = (Key(digest(first_line), _EVERY_RIGHT),)
    return Keys(lambda: only)


def parse_keys(text: str) -> tuple[Key, ...]:
    """Read the lines of the file; raises `WrongKeys`."""
    keys: dict[bytes, Key] = {}
    lines = ((number, line.split()) for number, line in enumerate(text.splitlines(), 1))
    for number, words in lines:
        if not words or words[0].startswith("#"):
            continue
        key = _key(words, number)
        if key.digest in keys:
            raise WrongKeys(f"line {number} has a key that an earlier line has too")
        keys[key.digest] = key
    if not keys:
        raise WrongKeys("there is no key in it")
    if len(keys) > _MOST_KEYS:
        raise WrongKeys(f"there are {len(keys)} keys in it, at most {_MOST_KEYS} are taken")
    return tuple(keys.values())


def _key(words: Sequence[str], number: int) -> Key:
    names = words[1].split(",") if len(words) > 1 else list(_RIGHTS)
    if len(words) > 2 or not set(names) <= _RIGHTS.keys():  # noqa: PLR2004 - a key and its rights
        expected = f"KEY or KEY RIGHT,RIGHT with rights of {', '.join(_RIGHTS)}"
        raise WrongKeys(f"line {number} is not understood: expected {expected}")
    rights = frozenset(_RIGHTS[name] for name in names)
    if not words[0].startswith(_HASHED):
        return Key(digest(words[0]), rights)
    try:
        hashed = bytes.fromhex(words[0].removeprefix(_HASHED))
    except ValueError:
        hashed = b""
    if len(hashed) != _DIGEST_BYTES:
        raise WrongKeys(f"line {number}: {_HASHED} is followed by {2 * _DIGEST_BYTES} hexadecimal digits")
    return Key(hashed, rights)


def _read(path: Path) -> tuple[Key, ...]:
    try:
        text = read_bounded(path, _MOST_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise WrongKeys("it is not UTF-8 text") from error
    except OSError as error:
        raise WrongKeys(error.strerror or "it cannot be read") from error
    except ValueError as error:
        raise WrongKeys(str(error)) from error
    return parse_keys(text)
