"""Imports point one way, src <- tests and src <- chapters <- book; modules stay small and keep to their rooms."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Set
from pathlib import Path

import pytest
from chapter_cells import ROOT, chapter_names, read_chapter

PACKAGE = ROOT / "src/beyond_kernel"
PARTS = ("foundations", "kernel_regime", "escaping_the_kernel", "feature_learning", "transfer", "which_method_wins")
ROOMS = {
    "targets": {"targets"},
    "inputs": {"targets", "inputs"},
    "exponents": {"targets", "inputs", "exponents"},
    "learning": {"targets", "inputs", "learning"},
}
"""What each room of the foundations knows of."""
CHAPTERS_MAY_IMPORT = {"beyond_kernel", "torch", "numpy", "scipy", "xarray", "matplotlib", "IPython"}
OUTSIDE_SRC = {"chapters", "book", "tests"}
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}
LONGEST_MODULE = 300
LONGEST_FUNCTION = 60


def python_files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(tree: ast.AST, guarded: bool = False) -> Iterator[tuple[str, bool]]:
    """Yield each imported name with its module, and whether it is in a function or a ``try``."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, guarded) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "beyond_kernel" if node.level else node.module
            yield from ((f"{module}.{alias.name}", guarded) for alias in node.names)
        yield from imports(node, guarded or isinstance(node, ast.FunctionDef | ast.Try))


def roots(tree: ast.AST) -> set[str]:
    return {module.split(".")[0] for module, _ in imports(tree)} - set(sys.stdlib_module_names)


def needed_by_package() -> set[str]:
    """Return the import names of the dependencies without an extra (they are their project names)."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {re.match(r"[\w.-]+", line)[0] for line in project["dependencies"]}


def package_faults(tree: ast.AST, needed: Set[str]) -> list[str]:
    """Return the imports that the package must not have."""
    allowed = needed | {"beyond_kernel"} | set(sys.stdlib_module_names)
    found = [(module.split(".")[0], guarded) for module, guarded in imports(tree)]
    return [root for root, guarded in found if root in OUTSIDE_SRC or not (guarded or root in allowed)]


def backward_imports(part: str, tree: ast.AST) -> list[str]:
    """Return the imports of a later part; ``part`` is empty for the modules that serve every chapter."""
    earlier = PARTS[: PARTS.index(part) + 1] if part else ()
    return [name for name in _inner(tree, 1) if name in PARTS and name not in earlier]


def strange_rooms(room: str, tree: ast.AST) -> list[str]:
    """Return the rooms of the foundations that a room imports and does not know of."""
    return [name for name in _inner(tree, 2) if name in ROOMS and name not in ROOMS[room]]


def _inner(tree: ast.AST, depth: int) -> list[str]:
    """Return the names at a depth below the package of what is imported from it; rooms lie in the foundations."""
    found = [module.split(".") for module, _ in imports(tree)]
    above = ["beyond_kernel", "foundations"][:depth]
    return [module[depth] for module in found if module[:depth] == above and len(module) > depth]


def too_long(source: str) -> list[str]:
    """Return what is too long in a module."""
    lines = len(source.splitlines())
    found = [f"the module has {lines} lines"] if lines > LONGEST_MODULE else []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= LONGEST_FUNCTION:
            found.append(f"{node.name} has {node.end_lineno - node.lineno + 1} lines")
    return found


@pytest.mark.parametrize("path", python_files("src"), ids=name_of)
def test_package_imports_only_what_it_declares(path):
    assert package_faults(ast.parse(path.read_text(encoding="utf-8")), needed_by_package()) == []


@pytest.mark.parametrize("path", python_files("src"), ids=name_of)
def test_parts_build_on_earlier_parts_only(path):
    part = path.relative_to(PACKAGE).parts[0]
    part = PARTS[-1] if part == "__main__.py" else part  # the command in a terminal asks the last part
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert backward_imports(part if part in PARTS else "", tree) == []


@pytest.mark.parametrize("path", python_files("src/beyond_kernel/foundations"), ids=name_of)
def test_the_foundations_are_four_rooms_that_keep_to_themselves(path):
    room, *inside = path.relative_to(PACKAGE / "foundations").parts
    assert (room, inside) == ("__init__.py", []) or (room in ROOMS and len(inside) == 1)
    if inside:
        assert strange_rooms(room, ast.parse(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("name", chapter_names())
def test_chapters_import_the_package_and_little_else(name):
    for cell in read_chapter(name).code:
        assert roots(cell.tree) <= CHAPTERS_MAY_IMPORT, f"cell {cell.number}"


@pytest.mark.parametrize("path", python_files("tests"), ids=name_of)
def test_tests_import_no_chapter_and_only_tests_of_the_book_import_it(path):
    forbidden = {"chapters", "book", "tests"}
    if path.parent != ROOT / "tests/book":
        forbidden |= {module.stem for module in (ROOT / "book").glob("*.py")}
    assert not forbidden & roots(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", python_files("book"), ids=name_of)
def test_book_imports_no_tests_and_no_chapter(path):
    forbidden = {"chapters", "tests", "pytest"} | {module.stem for module in python_files("tests")}
    assert not forbidden & roots(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", python_files("src", "book", "tests"), ids=name_of)
def test_modules_are_short_and_named_after_an_idea(path):
    assert path.stem not in VAGUE_NAMES
    assert too_long(path.read_text(encoding="utf-8")) == []


def mirrored(path: Path) -> Path:
    """Return the folder of the tests of a module."""
    return ROOT / "tests" / path.parent.relative_to(PACKAGE)


def has_test(path: Path) -> bool:
    return (mirrored(path) / f"test_{path.name}").is_file()


def pieces(path: Path) -> set[Path]:
    """Return the modules of the same folder that a module imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    prefix = ("beyond_kernel", *path.parent.relative_to(PACKAGE).parts)
    modules = {tuple(module.split(".")[: len(prefix) + 1]) for module, _ in imports(tree)}
    return {other for other in path.parent.glob("*.py") if (*prefix, other.stem) in modules}


FOLDERS = sorted({path.parent for part in PARTS for path in (PACKAGE / part).rglob("[!_]*.py")})


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.relative_to(PACKAGE).as_posix())
def test_each_idea_has_its_test_at_the_same_path(folder):
    """A module without one is a piece of another module of its folder, whose test reaches it."""
    reached = {path for path in folder.glob("*.py") if has_test(path)}
    while more := {piece for path in reached for piece in pieces(path)} - reached:
        reached |= more
    missing = set(folder.glob("[!_]*.py")) - reached
    assert not missing, f"{folder.relative_to(PACKAGE)} lacks test_ files for {sorted(path.name for path in missing)}"


@pytest.mark.parametrize("part", PARTS)
def test_each_test_of_a_part_has_its_idea_at_the_same_path(part):
    for path in (ROOT / "tests" / part).rglob("test_*.py"):
        words = path.stem.removeprefix("test_").split("_")  # a long file may be split: test_idea_subject.py
        ideas = ["_".join(words[:k]) for k in range(1, len(words) + 1)]
        inside = path.parent.relative_to(ROOT / "tests")
        places = [PACKAGE / inside / f"{idea}.py" for idea in ideas]
        places += [ROOT / "chapters" / inside / f"{idea}.ipynb" for idea in ideas]
        assert any(place.is_file() for place in places), f"there is no {inside}/{ideas[-1]} to be tested"


def cells_of(path: Path) -> list[ast.FunctionDef]:
    """Return the functions of a module that are named as cells."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.endswith("_cell")]


def cell_faults(cell: ast.FunctionDef) -> list[str]:
    """Return what is wrong with the signature of a cell."""
    arguments = cell.args
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    faults = ["takes *args or **kwargs"] if arguments.vararg or arguments.kwarg else []
    faults += [] if names and names[-1] == "seed" else ["does not end in seed"]
    return faults + ([] if "device" in names else ["takes no device"])


def test_cells_stand_in_modules_of_their_own_and_exist_once():
    cells = {path: cells_of(path) for path in python_files("src")}
    names = [cell.name for found in cells.values() for cell in found]
    assert len(names) > 20 and sorted(names) == sorted(set(names))
    outside = [name_of(path) for path, found in cells.items() if found and not path.stem.endswith("_cells")]
    assert outside == []
    faults = {cell.name: cell_faults(cell) for found in cells.values() for cell in found if cell_faults(cell)}
    assert faults == {}


def test_the_checks_see_what_they_forbid():
    def faults(code):
        return package_faults(ast.parse(code), {"torch"})

    assert faults("import torch\nfrom beyond_kernel import claims\nfrom . import x\nimport math") == []
    assert faults("import IPython.display") == ["IPython"]
    assert faults("def show():\n    from IPython.display import display") == []
    assert faults("def show():\n    import book.build") == ["book"]
    for code in ("from beyond_kernel.transfer.x import y", "from beyond_kernel import transfer"):
        later = ast.parse(code)
        assert backward_imports("kernel_regime", later) == backward_imports("", later) == ["transfer"]
        assert backward_imports("transfer", later) == []
    room = ast.parse("from beyond_kernel.foundations.learning.samples import Sample")
    assert strange_rooms("exponents", room) == ["learning"] and strange_rooms("learning", room) == []
    assert strange_rooms("targets", ast.parse("from beyond_kernel.foundations import inputs")) == ["inputs"]
    (bad,) = ast.parse("def a_cell(d, seed, device, **more): pass").body
    assert cell_faults(bad) == ["takes *args or **kwargs", "does not end in seed"]
    (good,) = ast.parse("def a_cell(d, *, device='cpu', seed): pass").body
    assert cell_faults(good) == []
    assert too_long("x = 1\n" * 300 + "def f():\n" + "    x = 1\n" * 60) == [
        "the module has 361 lines",
        "f has 61 lines",
    ]
    assert too_long("def f():\n" + "    x = 1\n" * 59) == []
