"""OpenVINO's exceptions as one sentence without source locations and paths."""

import re

_LOCATION = re.compile(r"(?:Exception from |Check '.*?' failed at |at )?\S+\.(?:cpp|hpp|h)\S*:\d+:?\s*")
_CAUGHT = re.compile(r"Caught exception:\s*")
_QUOTED_PATH = re.compile(r"""(?<=["'])/[^"'\n]*/(?=[^"'/\n]*["'])""")
_PATH = re.compile(r"(?<![\w.])/(?:[^\s/'\"]+/)*([^\s/'\":,]*)")
_TOLD_BETTER = (
    (
        re.compile(r"Path '(.*?)' resolves to '.*?' which is outside the base directory '.*?'"),
        r"its data file '\1' lies outside the folder of the version",
    ),
    (
        re.compile(
            r"Invalid usage of method for externally stored data in file \((.*), offset: (\d+), .*length: (\d+)\)"
        ),
        r"its data file '\1' is missing, may not be read or is too short (offset \2, length \3)",
    ),
)
_MAX_LENGTH = 1000


def reason(error: BaseException) -> str:
    """Say in one line what OpenVINO's `error` says, fit for a client: no C++ location, of a path only its last part."""
    text = str(error)
    for pattern, sentence in _TOLD_BETTER:
        if found := pattern.search(text):
            text = found.expand(sentence)
    text = _LOCATION.sub(" ", text)
    text = _CAUGHT.sub("", text)
    text = _QUOTED_PATH.sub("", text)
    text = _PATH.sub(r"\1", text)
    text = " ".join(text.split()).strip(" :.")
    if not text:
        return type(error).__name__
    return text if len(text) <= _MAX_LENGTH else text[:_MAX_LENGTH] + "..."
