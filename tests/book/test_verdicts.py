"""Each chapter is run as it is committed, and prints the verdict that is committed with it."""

import json
import shutil
import sys
import time

import pytest
from chapter_cells import ROOT, chapter_names, chapter_path, read_chapter
from chapter_runs import run_with_limit
from good_chapter import GOOD_CHAPTER

TIME_LIMIT = 300


def replay(notebook, folder=ROOT):
    """Run a notebook under nbval, which compares the outputs of the cells tagged nbval-check-output."""
    options = ["--nbval-lax", "--nbval-current-env", "-p", "no:cacheprovider", "-p", "no:xdist"]
    return run_with_limit([sys.executable, "-m", "pytest", *options, str(notebook)], folder, TIME_LIMIT)


@pytest.mark.parametrize("name", chapter_names())
def test_chapter_prints_its_committed_verdict(name):
    compared = [cell for cell in read_chapter(name).tagged("nbval-check-output") if cell.stdout.strip()]
    assert len(compared) == 1 and compared[0].data["execution_count"], "nbval would compare nothing"
    status, output = replay(chapter_path(name))
    assert status == 0, f"status {status} (124: over {TIME_LIMIT} s)\n{output}"


@pytest.mark.parametrize(("old", "new"), [("HOLDS", "DOES NOT HOLD"), ("", "")])
def test_a_changed_verdict_is_seen(old, new, tmp_path):
    notebook = json.loads(GOOD_CHAPTER.read_text(encoding="utf-8"))
    for output in [output for cell in notebook["cells"] for output in cell.get("outputs", [])]:
        output["text"] = [line.replace(old, new) for line in output["text"]]
    (tmp_path / "chapter.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    status, output = replay("chapter.ipynb", tmp_path)
    assert (status == 0) == (old == new), output


def test_a_run_without_end_is_stopped_with_its_children(tmp_path):
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    begun = time.monotonic()
    assert run_with_limit([sys.executable, "-c", child], tmp_path, 1)[0] == 124
    assert time.monotonic() - begun < 30
