"""Models whose configuration or files came with a request to load them."""

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ovserve.config.declared import MalformedTritonConfig, TritonConfig, WrongTritonConfig
from ovserve.config.model import ModelConfig
from ovserve.config.pbtxt import parse_json
from ovserve.config.triton import DONE_BY_SERVER, read_triton
from ovserve.errors import LoadFailed, LoadRejected, NotInRepository
from ovserve.repository.source import Configured, Source, sorted_out

_DEEPEST = 8
_MOST_FILES = 1000


@dataclass(frozen=True, slots=True)
class _Upload:
    declared: TritonConfig
    folder: Path | None


class Uploads:
    """A source that stands before another one: what was uploaded beats what the repository says.

    `configured` makes a configuration of a declaration and a folder; raises `LoadFailed`.
    """

    def __init__(self, source: Source, make: Callable[[TritonConfig, Path], ModelConfig], *, allow_code: bool) -> None:
        self._source = source
        self._make = make
        self._allow_code = allow_code
        self._uploads: dict[str, _Upload] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def paths(self) -> Sequence[Path]:
        return self._source.paths

    def put(self, name: str, config: str | None, files: Mapping[str, bytes]) -> None:
        """Have the next load of a model use these.

        `config` is Triton's model configuration as JSON, `files` are by their paths in the model's folder. With neither
        the repository counts again. Raises `LoadRejected` and, where nothing can be made of the configuration,
        `NotInRepository`.
        """
        if config is None:
            if files:
                raise NotInRepository(f"load of model '{name}' with files needs the parameter 'config' too")
            self._remove(name)
            return
        declared = _declared(name, config)
        for path in files:
            self._check_path(name, path)
        if len(files) > _MOST_FILES:
            raise LoadRejected(f"load of model '{name}' with more than {_MOST_FILES} files")
        folder = self._write(name, files) if files else None
        self._remove(name)
        self._uploads[name] = _Upload(declared, folder)

    def configured(self) -> Configured:
        found = self._source.configured()
        configs, errors, roots = {**found.models, **found.pipelines}, dict(found.errors), dict(found.roots)
        for name, upload in list(self._uploads.items()):
            folder = upload.folder or (configs[name].base_path if name in configs else None)
            if folder is None:
                continue
            try:
                configs[name] = self._make(upload.declared, folder)
            except LoadFailed as error:
                configs.pop(name, None)
                errors[name] = error
                continue
            errors.pop(name, None)
            if upload.folder is not None:
                roots[name] = upload.folder
        return sorted_out(configs, errors, roots)

    def _check_path(self, name: str, path: str) -> None:
        parts = PurePosixPath(path).parts
        is_plain = all(part not in {"..", "/"} and "\\" not in part and "\0" not in part for part in parts)
        if not parts or not is_plain or len(parts) > _DEEPEST or path.endswith("/"):
            raise LoadRejected(f"load of model '{name}': file '{path[:200]}' is no path inside the model's folder")
        if path.endswith(".py") and not self._allow_code:
            raise LoadRejected(
                f"load of model '{name}': file '{path[:200]}' is code, which only --allow_code_upload permits"
            )

    def _write(self, name: str, files: Mapping[str, bytes]) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="ovserve-")  # the server's own user's, until it ends
        folder = Path(tempfile.mkdtemp(dir=self._folder.name))
        try:
            for path, data in files.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(data)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise LoadRejected(f"load of model '{name}': the files cannot be stored: {error.strerror}") from error
        return folder

    def _remove(self, name: str) -> None:
        upload = self._uploads.pop(name, None)
        if upload is not None and upload.folder is not None:
            shutil.rmtree(upload.folder, ignore_errors=True)


def _declared(name: str, config: str) -> TritonConfig:
    try:
        declared = read_triton(parse_json(config), DONE_BY_SERVER)
    except MalformedTritonConfig as error:
        raise NotInRepository(f"load of model '{name}': config: {error}") from error
    except WrongTritonConfig as error:
        raise LoadRejected(f"load of model '{name}': config: {error}") from error
    if declared.name not in ("", name):
        raise NotInRepository(f"load of model '{name}': config names the model '{declared.name}'")
    return replace(declared, name=name)
