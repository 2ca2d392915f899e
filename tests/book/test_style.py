"""The linter of pyproject.toml finds nothing, the code is in its format, and Sphinx reads its docstrings as meant."""

import ast
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


@pytest.mark.parametrize("module", sorted((ROOT / "src").rglob("*.py")), ids=lambda path: path.stem)
def test_no_attribute_is_described_after_a_colon(module):
    """What stands before a colon in the first line under an attribute is read as its type, and the build ends."""
    nodes = [
        node for node in ast.walk(ast.parse(module.read_text("utf-8"))) if isinstance(node, ast.Module | ast.ClassDef)
    ]
    assert [line for node in nodes for line in attribute_lines(node.body) if ":" in line] == []


def test_a_colon_under_an_attribute_is_seen():
    body = ast.parse('A = 1\n"""Sizes: of it."""\nb: int = 2\n"""Two."""\n').body
    assert attribute_lines(body) == ["Sizes: of it.", "Two."]


def attribute_lines(body):
    """Return the first line of each string that stands right after an assignment."""
    after = [
        below for above, below in zip(body, body[1:], strict=False) if isinstance(above, ast.Assign | ast.AnnAssign)
    ]
    strings = [
        node.value.value for node in after if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ]
    return [text.splitlines()[0] for text in strings if isinstance(text, str)]
