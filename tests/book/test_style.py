"""The linter of pyproject.toml finds nothing, and the code is in its format."""

import subprocess
import sys

import pytest
from chapter_cells import ROOT


@pytest.mark.parametrize("command", [["check", "."], ["format", "--check", "src", "tests", "book"]])
def test_ruff_has_nothing_to_say(command):
    run = subprocess.run([sys.executable, "-m", "ruff", *command], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_ruff_would_say_something(tmp_path):
    (tmp_path / "bad.py").write_text("import os\n")
    run = subprocess.run([sys.executable, "-m", "ruff", "check", str(tmp_path)], capture_output=True, text=True)
    assert run.returncode == 1 and "F401" in run.stdout
