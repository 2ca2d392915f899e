"""Which files of the package some code depends on: the modules that it imports, directly or not, and what lies there.

The code is read, not run. An import counts wherever it stands, also in a function. A text that is a module's dotted
name counts too, since packages import such names when they are asked for (``importlib.import_module``).
"""

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

Imported = tuple[str, bool]  # a dotted name, and whether it must be a module: `from x import y` takes values as well


def files_of(cells: Sequence[str], folder: Path) -> list[Path]:
    """Return the files below ``folder`` on which the code cells of a notebook depend, in a fixed order.

    They are the modules that the cells import, those that these import in turn, the ``__init__`` of each package on
    the way, and the files without code in the folders of all of them, which may be read as data.

    Args:
        cells: the text of each code cell.
        folder: where the packages lie; what is imported from elsewhere is a matter of the pinned versions.

    Raises:
        ImportError: for code that is no Python and for a module that is not there.
    """
    walk = _Walk(folder)
    for number, cell in enumerate(cells, start=1):
        walk.follow(_imports(cell.encode(), "", f"code cell {number}"), f"code cell {number}")
    modules = set(walk.found.values())
    return sorted(modules | set(_data(folder, {module.parent for module in modules})))


def _data(folder: Path, packages: set[Path]) -> Iterator[Path]:
    """Yield the files that are no modules; each belongs to the nearest folder above it that holds one."""
    for path in folder.rglob("*"):
        generated = any(part == "__pycache__" or part.endswith(".egg-info") for part in path.parts)
        if path.is_file() and path.suffix != ".py" and not generated:
            home = next((above for above in path.parents if above == folder or any(above.glob("*.py"))), folder)
            if home in packages:
                yield path


@dataclass
class _Walk:
    """The modules met so far, each name with its file."""

    folder: Path
    found: dict[str, Path] = field(default_factory=dict)

    def follow(self, imported: Iterable[Imported], where: str) -> None:
        """Take imports into account that stand in ``where``, and all that follows from them."""
        for name, must_be_there in imported:
            if self._place(name.partition(".")[0]) is None or not (must_be_there or self._place(name)):
                continue
            parts = name.split(".")
            for k in range(len(parts)):
                self._take(".".join(parts[: k + 1]), where)

    def _take(self, name: str, where: str) -> None:
        place = self._place(name)
        if place is None:
            raise ImportError(f"{where} imports {name}, but {self.folder.name}/ has no such module")
        if name not in self.found and place.is_file():
            self.found[name] = place
            package = name if place.name == "__init__.py" else name.rpartition(".")[0]
            near = place.relative_to(self.folder.parent).as_posix()
            self.follow(_imports(place.read_bytes(), package, near), near)

    def _place(self, name: str) -> Path | None:
        """Return the file of a module, the folder of a package without ``__init__``, or None."""
        path = self.folder.joinpath(*name.split("."))
        files = (path / "__init__.py", path.with_name(f"{path.name}.py"))
        return next((file for file in files if file.is_file()), path if path.is_dir() else None)


@cache
def _imports(code: bytes, package: str, where: str) -> tuple[Imported, ...]:
    """Return what code imports that stands in a module of ``package``."""
    try:
        tree = ast.parse(code)
    except SyntaxError as error:
        raise ImportError(f"{where}, line {error.lineno}, is no Python ({error.msg})") from None
    return tuple(dict.fromkeys(found for node in ast.walk(tree) for found in _imports_of(node, package, where)))


def _imports_of(node: ast.AST, package: str, where: str) -> Iterator[Imported]:
    if isinstance(node, ast.Import):
        yield from ((alias.name, True) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = _base(node, package, where)
        yield base, True
        yield from ((f"{base}.{alias.name}", False) for alias in node.names)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        if "." in node.value and all(part.isidentifier() for part in node.value.split(".")):
            yield node.value, False


def _base(node: ast.ImportFrom, package: str, where: str) -> str:
    """Return the absolute name of what ``from ... import`` imports from."""
    above = package.split(".") if package else []
    if node.level > len(above):
        raise ImportError(f"{where} imports {'.' * node.level}{node.module or ''}, which lies outside of any package")
    kept = above[: len(above) - node.level + 1] if node.level else []
    return ".".join([*kept, *([node.module] if node.module else [])])
