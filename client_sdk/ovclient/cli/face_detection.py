from ovclient.cli.connection import DEFAULT, Connection
from ovclient.cli.face_flags import FaceFlags

_DEFAULT_FLAGS = FaceFlags()


def face_detection(*, flags: FaceFlags = _DEFAULT_FLAGS, server: Connection = DEFAULT) -> int:
    """Find faces in pictures, draw boxes around them, and measure how fast that is.

    Pictures are resized and sent as BGR, 0..255, in the model's layout and
    datatype, or with --binary as they are. The pictures written are those
    sent, named <iteration>_<position in the batch>.jpg.
    """
    from ovclient.cli.face_run import run  # noqa: PLC0415 - OpenCV is for the commands that need it

    with server.client() as client:
        run(client, flags)
    return 0
