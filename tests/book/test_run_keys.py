"""What the key of a run depends on: each change re-runs the chapters that it may alter, and no other."""

import ast
import json
import subprocess
import sys

import imports
import nbformat
import plan
import pytest
from chapter_cells import ROOT, chapter_names, chapter_path
from tiny_book import Repository

PACKAGE = {
    "__init__.py": '"""A package."""\n',
    "alone.py": "x = 1\n",
    "ground.py": "x = 1\n",
    "late.py": "x = 1\n",
    "asked_for.py": "x = 1\n",
    "room/__init__.py": "from . import shared\n",
    "room/shared.py": "from ..ground import x\n",
    "room/one.py": "y = 1\n",
    "room/two.py": "def f():\n    from package import late\n",
    "room/data.json": "[1]",
    "room/tables/more.csv": "1",
    "lazy/__init__.py": 'PLACES = {"f": "package.asked_for"}\n',
    "plain/module.py": "import package.room.one as one\n",
}
CHAPTERS = {
    "none": ["import json", "x = 'package'"],
    "by_name": ["from package.room import one"],
    "dotted": ["def f():\n    import package.room.two"],
    "lazy": ["from package.lazy import f"],
    "plain": ["from package.plain.module import one"],
    "alone": ["import numpy\nfrom package.alone import x"],
}
WHO_RUNS_AGAIN = {  # the file that is edited, and the chapters that may then come out differently, thought out by hand
    "__init__.py": {"by_name", "dotted", "lazy", "plain", "alone"},
    "alone.py": {"alone"},
    "ground.py": {"by_name", "dotted", "plain"},
    "late.py": {"dotted"},
    "asked_for.py": {"lazy"},
    "room/__init__.py": {"by_name", "dotted", "plain"},
    "room/shared.py": {"by_name", "dotted", "plain"},
    "room/one.py": {"by_name", "plain"},
    "room/two.py": {"dotted"},
    "room/data.json": {"by_name", "dotted", "plain"},
    "room/tables/more.csv": {"by_name", "dotted", "plain"},
    "lazy/__init__.py": {"lazy"},
    "plain/module.py": {"plain"},
}


@pytest.fixture
def book(tmp_path):
    """Return a book whose chapters import the package above in all the ways there are."""
    made = Repository(tmp_path)
    for name, text in PACKAGE.items():
        made.write(f"src/package/{name}", text)
    for idea, cells in CHAPTERS.items():
        made.chapter(f"part/{idea}", *cells)
    return made


def keys(book: Repository) -> dict[str, str]:
    return {idea: book.plan(f"part/{idea}").key for idea in CHAPTERS}


def changed(book: Repository, change) -> set[str]:
    """Return the chapters whose key a change alters."""
    before = keys(book)
    change()
    after = keys(book)
    return {idea for idea in CHAPTERS if after[idea] != before[idea]}


@pytest.mark.parametrize("file", PACKAGE)
def test_an_edited_file_runs_those_again_that_use_it(book, file):
    path = book.root / "src/package" / file
    edited = f'"""Another docstring."""\n{path.read_text()}' if path.suffix == ".py" else "2"
    assert changed(book, lambda: path.write_text(edited)) == WHO_RUNS_AGAIN[file]


EVERY, NONE, LAZY = set(CHAPTERS), set(), {"lazy"}
CHANGES = {
    "its notebook": (LAZY, lambda book: book.chapter("part/lazy", "from package.lazy import f", "print(1)")),
    "its parameters": (LAZY, lambda book: book.chapter("part/lazy", *CHAPTERS["lazy"], d=5, seed=1)),
    "the constraints": (EVERY, lambda book: book.write("constraints.txt", "numpy==2.1\n")),
    "a value that becomes a module": (LAZY, lambda book: book.write("src/package/lazy/f.py", "")),
    "a module that nobody imports": (NONE, lambda book: book.write("src/package/room/other.py", "")),
    "a new data file": (LAZY, lambda book: book.write("src/package/lazy/table.csv", "")),
    "another chapter": (NONE, lambda book: book.chapter("part/other", "print(1)")),
    "a page": (NONE, lambda book: book.write("book/index.md", "# Title")),
    "a test": (NONE, lambda book: book.write("tests/part/test_lazy.py", "def test_it(): assert True\n")),
    "Python's cache": (NONE, lambda book: book.write("src/package/lazy/__pycache__/f.pyc", "x")),
    "what pip leaves": (NONE, lambda book: book.write("src/package.egg-info/PKG-INFO", "x")),
    "a stored output": (NONE, lambda book: store_output(book.root / "chapters/part/lazy.ipynb")),
}


def store_output(path) -> None:
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[-1].outputs = [nbformat.v4.new_output("stream", text="seen")]
    notebook.cells[-1].execution_count = 7
    nbformat.write(notebook, path)


@pytest.mark.parametrize("change", CHANGES)
def test_what_else_runs_a_chapter_again(book, change):
    expected, make = CHANGES[change]
    assert changed(book, lambda: make(book)) == expected


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        ("import package.gone", "code cell 2 imports package.gone, but src/ has no such module."),
        ("from package.gone import x", "code cell 2 imports package.gone, but src/ has no such module."),
        ("from package.room.gone.far import x", "code cell 2 imports package.room.gone, but src/ has no such module."),
        ("from . import x", "code cell 2 imports ., which lies outside of any package."),
        ("x = 1\n%matplotlib inline", "code cell 2, line 2, is no Python (invalid syntax)."),
    ],
)
def test_what_cannot_be_followed_is_said(book, cell, sentence):
    book.chapter("part/idea", cell)
    with pytest.raises(plan.BuildError) as caught:
        book.plan("part/idea")
    assert str(caught.value) == f"part/idea: {sentence}"


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("from .gone import x", "src/package/alone.py imports package.gone, but src/ has no such module."),
        ("from ... import x", "src/package/alone.py imports ..., which lies outside of any package."),
        ("x = (", "src/package/alone.py, line 1, is no Python ('(' was never closed)."),
    ],
)
def test_a_fault_in_a_module_names_it_and_the_chapter(book, code, sentence):
    book.write("src/package/alone.py", code)
    with pytest.raises(plan.BuildError) as caught:
        book.plan("part/alone")
    assert str(caught.value) == f"part/alone: {sentence}"


def users(file: str) -> set[str]:
    """Return the chapters of this book that run again when a file of the package is edited."""
    return {name for name in chapter_names() if ROOT / "src/beyond_kernel" / file in files_of(name)}


def code_of(chapter: str) -> list[str]:
    notebook = nbformat.read(chapter_path(chapter), as_version=4)
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def files_of(chapter: str) -> list:
    return imports.files_of(code_of(chapter), ROOT / "src")


def test_transfer_is_used_by_its_own_chapters_only():
    found = users("transfer/frozen_representation.py")
    assert "transfer/frozen_representation" in found
    assert {name for name in found if not name.startswith(("transfer/", "which_method_wins/"))} == set()


RUN_IMPORTS = """import json, sys
import IPython.display, matplotlib.pyplot, numpy, scipy, torch, xarray
found = {}
for name, statements in json.load(sys.stdin).items():
    exec(statements, {})
    ours = [module for module in sys.modules if module.split(".")[0] == "beyond_kernel"]
    found[name] = [sys.modules.pop(module).__file__ for module in ours]
json.dump(found, sys.stdout)"""


def test_whatever_python_loads_for_a_chapter_is_in_its_key():
    chapters = {}
    for name in chapter_names():
        statements = [node for cell in code_of(name) for node in ast.parse(cell).body]
        imported = [node for node in statements if isinstance(node, ast.Import | ast.ImportFrom)]
        chapters[name] = "\n".join(map(ast.unparse, imported))
    run = subprocess.run(
        [sys.executable, "-c", RUN_IMPORTS], input=json.dumps(chapters), capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    loaded = {name: set(files) for name, files in json.loads(run.stdout).items()}
    assert all(len(files) > 10 for files in loaded.values())
    assert {name: files - set(map(str, files_of(name))) for name, files in loaded.items() if files} == {
        name: set() for name in loaded
    }
