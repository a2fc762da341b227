"""Why a model's files cannot be read, where OpenVINO does not say so."""

from xml.parsers import expat

from ovserve.engine.external_data import points_into_memory
from ovserve.repository.layout import Kind, ModelFiles


def unreadable(files: ModelFiles) -> str | None:
    """Find what OpenVINO's message leaves out, a file we may not open or XML that is broken, and what it would take.

    Before OpenVINO looks at it: with a file that is not what its name says it tries all its readers, and some of them
    write to standard error.
    """
    for path in filter(None, (files.path, files.weights)):
        if path.is_file():
            try:
                path.open("rb").close()
            except OSError as error:
                return f"{path.name}: {error.strerror}"
    if files.path.is_file() and points_into_memory(files.path):
        return "it takes weights from an address in the server's memory"
    if files.kind is not Kind.IR:
        return None
    try:
        with files.path.open("rb") as xml:
            expat.ParserCreate().ParseFile(xml)
    except expat.ExpatError as error:
        return f"it is not well-formed XML ({error})"
    return None
