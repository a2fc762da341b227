"""A key to the metadata that carries it."""

from ovclient._errors import InvalidSetup


def authorization(api_key: str | None) -> tuple[tuple[str, str], ...]:
    """The metadata of every call: a bearer token, or nothing; what is wrong is told without a word of the key."""
    if api_key is None:
        return ()
    if not api_key or not all("!" <= character <= "~" for character in api_key):
        raise InvalidSetup("api_key must be printable ASCII without spaces")
    return (("authorization", f"Bearer {api_key}"),)
