"""A chapter's notebook as the checks see it: numbered cells, their code, their section, their solution."""

import ast
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import myst_text
import yaml

ROOT = Path(__file__).parents[2]
EXPECTED = (
    "feature_learning/one_step",
    "foundations/hermite_calculus",
    "foundations/targets_and_inputs",
    "kernel_regime/degree_by_degree",
    "kernel_regime/lazy_training",
    "kernel_regime/sparse_bias",
    "kernel_regime/tangent_kernel",
    "transfer/frozen_representation",
)
SHELL_LINE = re.compile(r"^\s*[%!].*$", re.M)

Fault = tuple[int | None, str]
"""What a rule finds: the number of the cell (None for the whole chapter) and what is wrong there."""


def chapter_names() -> list[str]:
    """Return ``part/chapter`` for every chapter there is and every chapter there must be."""
    found = (ROOT / "chapters").glob("*/*.ipynb")
    return sorted({f"{path.parent.name}/{path.stem}" for path in found} | set(EXPECTED))


def chapter_path(name: str) -> Path:
    """Return the notebook of the chapter ``part/chapter``."""
    return ROOT / "chapters" / f"{name}.ipynb"


def full_profile(name: str) -> dict[str, Any]:
    """Return what the full profile sets for the chapter ``part/chapter``."""
    profiles = yaml.safe_load((ROOT / "book/profiles.yml").read_text(encoding="utf-8"))
    return profiles["full"].get(name) or {}


def read_chapter(name: str) -> "Chapter":
    """Return the chapter ``part/chapter``."""
    return Chapter(read_notebook(chapter_path(name)), frozenset(full_profile(name)))


def read_notebook(path: Path) -> dict[str, Any]:
    """Return the notebook as plain data, every source and stream joined to one string."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
        for output in cell.get("outputs", []):
            output["text"] = "".join(output.get("text", ""))
    return notebook


def parsed(code: str) -> ast.Module:
    """Return the syntax tree of ``code`` without its shell lines, or an empty one if it does not parse."""
    try:
        return ast.parse(SHELL_LINE.sub("", code))
    except SyntaxError:
        return ast.Module(body=[], type_ignores=[])


@dataclass(frozen=True)
class Cell:
    """One cell: its number counted from 1, the section it stands in and the exercise whose solution it is."""

    number: int
    data: dict[str, Any]
    section: str
    solution: str | None

    @property
    def is_code(self) -> bool:
        return self.data["cell_type"] == "code"

    @property
    def source(self) -> str:
        return self.data["source"]

    @property
    def tags(self) -> list[str]:
        return self.data["metadata"].get("tags", [])

    @property
    def outputs(self) -> list[dict[str, Any]]:
        return self.data.get("outputs", [])

    @property
    def stdout(self) -> str:
        return "".join(output["text"] for output in self.outputs if output.get("name") == "stdout")

    @property
    def mystnb(self) -> dict[str, Any]:
        return self.data["metadata"].get("mystnb", {})

    @cached_property
    def tree(self) -> ast.Module:
        return parsed(self.source)

    @property
    def last_expression(self) -> ast.expr | None:
        last = self.tree.body[-1] if self.tree.body else None
        return last.value if isinstance(last, ast.Expr) else None

    def calls(self, method: str) -> list[ast.Call]:
        """Return the calls of ``something.method(...)`` or ``method(...)`` in the cell."""
        found = (node for node in ast.walk(self.tree) if isinstance(node, ast.Call))
        return [call for call in found if called_name(call) == method]


@dataclass(frozen=True)
class Chapter:
    """A notebook and, if known, the names that the full profile sets for it."""

    notebook: dict[str, Any]
    profile_keys: frozenset[str] | None = None

    @cached_property
    def cells(self) -> list[Cell]:
        return list(_placed(self.notebook["cells"]))

    @property
    def code(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.is_code]

    @property
    def prose(self) -> list[Cell]:
        return [cell for cell in self.cells if not cell.is_code]

    @cached_property
    def text(self) -> str:
        return "\n\n".join(cell.source for cell in self.prose)

    @cached_property
    def directives(self) -> list[myst_text.Directive]:
        return myst_text.directives(self.text)

    def tagged(self, tag: str) -> list[Cell]:
        """Return the code cells that carry ``tag``."""
        return [cell for cell in self.code if tag in cell.tags]

    def after(self, cell: Cell) -> Cell | None:
        """Return the cell that follows ``cell``, of either kind."""
        return self.cells[cell.number] if cell.number < len(self.cells) else None

    @cached_property
    def parameters(self) -> dict[str, ast.Assign]:
        """The assignments ``name = value`` of the cell tagged ``parameters``."""
        body = [node for cell in self.tagged("parameters")[:1] for node in cell.tree.body]
        plain = [node for node in body if isinstance(node, ast.Assign) and len(node.targets) == 1]
        return {node.targets[0].id: node for node in plain if isinstance(node.targets[0], ast.Name)}


def called_name(call: ast.Call) -> str:
    """Return the last part of the name that is called, or an empty string."""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def keywords(call: ast.Call) -> dict[str, ast.expr]:
    """Return the keyword arguments of a call, without a ``**mapping``."""
    return {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}


def literal(node: ast.expr) -> tuple[bool, Any]:
    """Return whether ``node`` is a literal, and its value."""
    try:
        return True, ast.literal_eval(node)
    except ValueError:
        return False, None


def names_read(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names that are read anywhere in ``nodes``."""
    found = (child for node in nodes for child in ast.walk(node) if isinstance(child, ast.Name))
    return {name.id for name in found if isinstance(name.ctx, ast.Load)}


def _placed(cells: list[dict[str, Any]]) -> Iterator[Cell]:
    section, solution = "", None
    for number, data in enumerate(cells, 1):
        if data["cell_type"] == "markdown":
            seconds = [title for level, title in myst_text.headings(data["source"]) if level == 2]
            section = seconds[-1] if seconds else section
            for directive in myst_text.directives(data["source"]):
                if directive.name in ("solution-start", "solution-end"):
                    solution = directive.argument if directive.name == "solution-start" else None
        yield Cell(number, data, section, solution)
