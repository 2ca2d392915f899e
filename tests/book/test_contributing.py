"""What is told to those who carry on is true: paths and commands exist, versions agree, the hooks are CI's linter."""

import re
import tomllib

import pytest
import yaml
from chapter_cells import ROOT

from beyond_kernel import figures

GUIDES = ("README.md", "CONTRIBUTING.md")
PLACEHOLDER = re.compile(r"\bpart/(test_)?idea|\*|\{")
ROOTS = ("src/", "tests/", "chapters/", "book/", "benchmarks/", ".ci/")
PACKAGE = ROOT / "src/beyond_kernel"


def told(guide):
    return (ROOT / guide).read_text(encoding="utf-8")


def paths(text):
    """Return the files and folders that a text names in backticks or links to; placeholders are none."""
    words = re.findall(r"`([\w./*{}-]+)`", text) + re.findall(r"\]\(([^)#:]+)\)", text)
    named = [
        word for word in words if word.startswith(ROOTS) or re.search(r"\w\.(py|md|yml|toml|txt|cff|bib|ipynb)$", word)
    ]
    return {word for word in named if not PLACEHOLDER.search(word)}


def exists(path):
    """Whether a path is there, seen from the root, the package, or the learning kit."""
    places = (ROOT, PACKAGE, PACKAGE / "foundations/learning")
    return any((place / path).exists() for place in places)


def targets():
    """Return the targets that `make help` lists."""
    return set(re.findall(r"^([a-z-]+):.*## ", told("Makefile"), re.M))


def commands(text):
    """Return what the text calls by make, in backticks or at the start of a line of code."""
    return set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.M))


@pytest.mark.parametrize("guide", GUIDES)
def test_every_path_that_is_named_is_there(guide):
    named = paths(told(guide))
    assert len(named) > 8
    assert sorted(path for path in named if not exists(path)) == []


@pytest.mark.parametrize("guide", GUIDES)
def test_every_command_that_is_named_is_a_target(guide):
    named = commands(told(guide))
    assert {"test", "chapter"} <= named
    assert named <= targets()


def test_a_wrong_path_or_command_is_seen():
    text = "See `tests/part/test_idea.py`, `src/nowhere.py`, [here](book/gone.md) and `make books`; `*_cells.py`."
    assert paths(text) == {"src/nowhere.py", "book/gone.md"} and not any(map(exists, paths(text)))
    assert commands(text) == {"books"} and not commands(text) <= targets()


def test_every_verb_that_is_named_draws_a_figure():
    (listed,) = re.findall(r"takes labelled data \(([^)]*)\)", told("CONTRIBUTING.md"))
    assert set(re.findall(r"`(\w+)`", listed)) == set(figures.__all__) - {"fitted_slope"}


def test_one_version_in_project_citation_and_changelog():
    version = tomllib.loads(told("pyproject.toml"))["project"]["version"]
    assert yaml.safe_load(told("CITATION.cff"))["version"] == version
    sections = re.findall(r"^## (\S+)", told("CHANGELOG.md"), re.M)
    assert sections[:2] == ["Unreleased", version]


def test_the_hooks_are_the_linter_of_the_tests():
    """Out of the same environment, so without a version of their own; on the same folders."""
    (repository,) = yaml.safe_load(told(".pre-commit-config.yaml"))["repos"]
    assert repository["repo"] == "local"
    check, formatter = repository["hooks"]
    assert check["entry"].startswith(".venv/bin/python -m ruff check") and "files" not in check
    assert formatter["entry"].startswith(".venv/bin/python -m ruff format")
    (tested,) = re.findall(r'\["format", "--check", ([^\]]*)\]', told("tests/book/test_style.py"))
    folders = re.findall(r'"(\w+)"', tested)
    assert formatter["files"] == f"^({'|'.join(folders)})/"
    assert all({"python", "jupyter"} <= set(hook["types_or"]) for hook in (check, formatter))
