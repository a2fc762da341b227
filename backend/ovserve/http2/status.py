"""How a call is refused."""

import grpc

INTERNAL = "internal error: the server's log has the details"


class Refused(Exception):
    """What ends a call: gRPC's status, and a sentence for the caller."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.code = code
        self.details = details
