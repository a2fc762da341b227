"""The other pages say what is so."""

import subprocess
import sys

import pytest

from ovserve.config.settings import Settings
from readme import CHECKOUT, Block, blocks

PAGES = sorted((CHECKOUT / "backend/docs").rglob("*.md"))
BLOCKS = [block for page in PAGES for block in blocks(page) if page.name != "triton.md"]  # tests/triton has its own


def test_every_flag_stands_in_the_page_on_serving() -> None:
    text = (CHECKOUT / "backend/docs/serving.md").read_text()
    assert [name for name in Settings.model_fields if f"`--{name}`" not in text] == []


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.page)
def test_a_python_block_runs(block: Block) -> None:
    assert block.language == "python", "a block of another language needs a test of its own"
    done = subprocess.run([sys.executable, "-c", block.code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_every_decision_is_listed_and_every_link_leads_somewhere() -> None:
    folder = CHECKOUT / "backend/docs/adr"
    listed = (folder / "README.md").read_text()
    assert [page.name for page in sorted(folder.glob("0*.md")) if f"({page.name})" not in listed] == []
    assert [
        line for line in listed.splitlines() if "](" in line and not (folder / line.split("](")[1][:-1]).is_file()
    ] == []


def test_readmes_table_is_what_the_raw_slices_give() -> None:
    results = CHECKOUT / "tests/perf/results"
    renders = [f"--render={results / name}" for name in ("face-detection-retail-0004.json", "tiny.json")]
    done = subprocess.run(
        [sys.executable, "-m", "ovserve", "bench", *renders], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() in (CHECKOUT / "README.md").read_text()
