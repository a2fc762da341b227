"""Certificate files to a TLS context."""

import ssl

from ovclient._errors import InvalidSetup
from ovclient._settings import Settings
from ovclient._tls import check_files


def context(settings: Settings) -> ssl.SSLContext:
    """Trusts `server_cert` (without it: the system's authorities) and shows `client_cert`, if any."""
    check_files(settings.server_cert, settings.client_cert, settings.client_key)
    try:
        made = ssl.create_default_context(cafile=settings.server_cert)
    except ssl.SSLError as error:
        raise InvalidSetup(f"server_cert: {settings.server_cert} cannot be used: {error.reason}") from error
    if settings.client_cert is not None:
        try:  # an empty password, or Python would ask for one on the terminal
            made.load_cert_chain(settings.client_cert, settings.client_key, password="")
        except ssl.SSLError as error:
            pair = f"{settings.client_cert} and {settings.client_key}"
            raise InvalidSetup(f"client_cert and client_key: {pair} cannot be used: {error.reason}") from error
    return made
