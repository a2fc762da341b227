import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ovserve.errors import Unreadable
from ovserve.repository.look import SeenVersion, look, see


@pytest.fixture
def version(tmp_path: Path) -> Path:
    """A version folder of a model, with a file in a folder of its own."""
    folder = tmp_path / "repository/m/1"
    (folder / "variables").mkdir(parents=True)
    (folder / "model.xml").write_text("<net/>")
    (folder / "model.bin").write_bytes(b"1234")
    (folder / "variables/part").write_bytes(b"56")
    return folder


def test_a_version_that_did_not_change_looks_the_same(version: Path) -> None:
    seen = look(version.parent, version.parents[1]).versions[1]
    assert seen == seen.look_again() == see(version, None)
    assert [name for name, *_ in seen.fingerprint] == ["model.bin", "model.xml", "variables/part"]
    assert seen.changed_s == max(path.stat().st_ctime for path in version.rglob("*") if path.is_file())


def grow(folder: Path) -> None:
    with (folder / "model.bin").open("ab") as file:
        file.write(b"5")


def overwrite(folder: Path) -> None:
    before = (folder / "model.bin").stat()
    (folder / "model.bin").write_bytes(b"4321")
    os.utime(folder / "model.bin", ns=(before.st_atime_ns, before.st_mtime_ns + 1))


def replace(folder: Path) -> None:
    before = (folder / "model.bin").stat()
    (folder / "new").write_bytes(b"4321")
    os.utime(folder / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
    (folder / "new").rename(folder / "model.bin")


@pytest.mark.parametrize(
    "change",
    [
        grow,
        overwrite,
        replace,
        lambda folder: (folder / "model.bin").unlink(),
        lambda folder: (folder / "mapping_config.json").write_text("{}"),
        lambda folder: (folder / "variables/part").write_bytes(b"567"),
        lambda folder: (folder / "variables/part").rename(folder / "variables/other"),
    ],
    ids=["grow", "overwrite", "replace", "remove", "add", "deep", "rename"],
)
def test_a_change_is_seen(version: Path, change: Callable[[Path], object]) -> None:
    before = see(version, None)
    change(version)
    assert see(version, None) != before


def test_a_file_served_by_itself_is_watched_with_what_belongs_to_it(tmp_path: Path) -> None:
    (tmp_path / "face.onnx").write_bytes(b"1")
    seen = look(tmp_path / "face.onnx", tmp_path).versions[1]
    (tmp_path / "other.txt").write_text("of no interest")
    assert seen.look_again() == seen
    (tmp_path / "face.onnx.data").write_bytes(b"2")
    with_data = seen.look_again()
    assert with_data != seen
    (tmp_path / "mapping_config.json").write_text("{}")
    assert with_data.look_again() != with_data


def outside(tmp_path: Path) -> Path:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/model.bin").write_bytes(b"x")
    return tmp_path / "elsewhere"


LEADS_OUT = "is a link that leads out of the model repository, which only --allow_symlinks permits"


def test_a_model_that_is_a_link_to_outside_is_refused(version: Path, tmp_path: Path) -> None:
    (version.parents[1] / "link").symlink_to(outside(tmp_path))
    seen = look(version.parents[1] / "link", version.parents[1])
    assert (str(seen.error), seen.has_links) == (f"'link' {LEADS_OUT}", True)


@pytest.mark.parametrize("what", ["version", "file"])
def test_a_link_to_outside_spoils_only_its_version(version: Path, tmp_path: Path, what: str) -> None:
    second = version.parent / "2"
    if what == "version":
        second.symlink_to(outside(tmp_path))
    else:
        second.mkdir()
        (second / "model.bin").symlink_to(outside(tmp_path) / "model.bin")
    seen = look(version.parent, version.parents[1])
    assert seen.has_links
    assert seen.versions[1].error is None
    assert seen.versions[2].error == f"'{'2' if what == 'version' else 'model.bin'}' {LEADS_OUT}"
    assert look(version.parent, None).versions[2].error is None


def test_links_inside_are_followed_as_kubernetes_makes_them(tmp_path: Path) -> None:
    """A ConfigMap: `model.xml` leads to `..data/model.xml`, and `..data` to a folder that is swapped as a whole."""
    folder = tmp_path / "m/1"
    for name in ("first", "second"):
        (folder / f"..{name}").mkdir(parents=True)
        (folder / f"..{name}/model.xml").write_text(name)
    (folder / "..data").symlink_to("..first")
    (folder / "model.xml").symlink_to("..data/model.xml")
    before = look(tmp_path / "m", tmp_path)
    assert before.has_links
    assert before.versions[1].error is None
    (folder / "..new").symlink_to("..second")
    (folder / "..new").rename(folder / "..data")
    assert look(tmp_path / "m", tmp_path).versions[1] != before.versions[1]


def test_links_in_a_circle_end(version: Path) -> None:
    (version / "again").symlink_to(version)
    assert len(see(version, version.parent).fingerprint) < 100


def test_a_folder_without_versions_says_so(tmp_path: Path) -> None:
    seen = look(tmp_path, tmp_path)
    assert seen.versions == {}
    assert "no version found" in str(seen.error)
    assert not isinstance(seen.error, Unreadable)


def test_too_many_files_are_refused(version: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ovserve.repository.look._MOST_FILES", 2)
    assert see(version, None).error == "it holds more than 2 files"


def test_time_is_no_part_of_what_is_compared() -> None:
    place = Path("m/1")
    assert SeenVersion(place, (), changed_s=1) == SeenVersion(place, (), changed_s=2)
