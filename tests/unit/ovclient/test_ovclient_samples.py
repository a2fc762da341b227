import hashlib
from pathlib import Path

import ovclient
from ovclient.pictures import samples

FOLDER = Path(ovclient.__file__).parent / "samples"


def test_each_sample_stands_in_sources_with_its_checksum() -> None:
    sources = (FOLDER / "SOURCES.md").read_text()
    pictures = sorted(FOLDER.glob("*/*"))
    assert len(pictures) == 6
    for picture in pictures:
        row = next(line for line in sources.splitlines() if f"| {picture.relative_to(FOLDER)} |" in line)
        assert row.endswith(f" / {hashlib.sha256(picture.read_bytes()).hexdigest()} |")


def test_samples_stay_small() -> None:
    sizes = [picture.stat().st_size for picture in FOLDER.glob("*/*")]
    assert max(sizes) < 80_000
    assert sum(sizes) < 400_000


def test_samples_are_pictures_in_colour() -> None:
    assert [picture.name for picture in samples("things")] == ["chelsea.jpg", "coffee.jpg", "rocket.jpg"]
    assert all(picture.pixels.shape[2] == 3 for picture in samples("things", "portraits"))
