"""Log lines, as a Python model knows them from `triton_python_backend_utils`."""

from enum import Enum

from ovserve.observability.logs import get_logger


class LogLevel(Enum):
    INFO = 0
    WARNING = 1
    ERROR = 2
    VERBOSE = 3


class ModelLogger:
    """Writes to the server's log, with the model's name."""

    INFO = LogLevel.INFO
    WARNING = LogLevel.WARNING
    ERROR = LogLevel.ERROR
    VERBOSE = LogLevel.VERBOSE

    def __init__(self, **fields: str) -> None:
        logger = get_logger("ovserve.python")
        self._fields = fields
        self._write = {
            LogLevel.INFO: logger.info,
            LogLevel.WARNING: logger.warning,
            LogLevel.ERROR: logger.error,
            LogLevel.VERBOSE: logger.debug,
        }

    def log(self, message: str, level: LogLevel = INFO) -> None:
        self._write[level](str(message), **self._fields)

    def log_info(self, message: str) -> None:
        self.log(message, self.INFO)

    def log_warn(self, message: str) -> None:
        self.log(message, self.WARNING)

    def log_error(self, message: str) -> None:
        self.log(message, self.ERROR)

    def log_verbose(self, message: str) -> None:
        self.log(message, self.VERBOSE)
