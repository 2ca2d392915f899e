"""Rules about a chapter's figures: caption, name, alternative text, and a reference in the prose."""

import ast
from collections.abc import Iterator
from functools import cache

from chapter_cells import ROOT, Cell, Chapter, Fault, parsed
from myst_text import roles

SHORTEST_CAPTION = 40
SHORTEST_ALT = 60


def figure_exists(chapter: Chapter) -> Iterator[Fault]:
    """A chapter shows at least one figure."""
    if not _figures(chapter):
        yield None, "the story has no figure: a code cell that ends in one and has `mystnb.figure` metadata"


def figure_caption(chapter: Chapter) -> Iterator[Fault]:
    """Each figure has a caption that says something."""
    for cell in _figures(chapter):
        if len(_figure(cell, "caption")) < SHORTEST_CAPTION:
            yield cell.number, f"mystnb.figure.caption must have at least {SHORTEST_CAPTION} characters"


def figure_name(chapter: Chapter) -> Iterator[Fault]:
    """Each figure has a name of its own."""
    names = [_figure(cell, "name") for cell in _figures(chapter)]
    for cell, name in zip(_figures(chapter), names, strict=True):
        if not name.startswith("fig-") or names.count(name) > 1:
            yield cell.number, f"the figure's name {name!r} must start with `fig-` and be used once"


def figure_alt(chapter: Chapter) -> Iterator[Fault]:
    """Each figure has an alternative text that says what it shows, not its caption again."""
    for cell in _figures(chapter):
        alt = _alt(cell)
        if len(alt) < SHORTEST_ALT:
            yield cell.number, f"mystnb.image.alt must have at least {SHORTEST_ALT} characters"
        elif alt == _figure(cell, "caption").strip():
            yield cell.number, "the alt text repeats the caption: say what you would say over the telephone"


def figure_referenced(chapter: Chapter) -> Iterator[Fault]:
    """The prose speaks about each figure by its number."""
    named = {role.target for role in roles(chapter.text) if role.name == "numref"}
    for cell in _figures(chapter):
        name = _figure(cell, "name")
        if name and name not in named:
            yield cell.number, f"no text refers to this figure: write {{numref}}`{name}`"


def solution_figure(chapter: Chapter) -> Iterator[Fault]:
    """A figure in a folded solution has an alternative text and no caption."""
    verbs = _verbs(chapter)
    for cell in chapter.code:
        if cell.solution and _is_figure(cell, verbs):
            if "figure" in cell.mystnb:
                yield cell.number, "a figure in a solution takes no caption or name: take mystnb.figure out"
            if len(_alt(cell)) < SHORTEST_ALT:
                yield cell.number, f"mystnb.image.alt must have at least {SHORTEST_ALT} characters"


def _figures(chapter: Chapter) -> list[Cell]:
    verbs = _verbs(chapter)
    return [cell for cell in chapter.code if not cell.solution and _is_figure(cell, verbs)]


def _is_figure(cell: Cell, verbs: set[str]) -> bool:
    """Whether the cell says that it shows a figure, or ends in a call of a verb of beyond_kernel.figures."""
    return not {"figure", "image"}.isdisjoint(cell.mystnb) or _ends_in(cell) in verbs


def _verbs(chapter: Chapter) -> set[str]:
    """Return the verbs by the names under which the chapter imports them, such as ``curves``."""
    found = set()
    for node in [node for cell in chapter.code for node in ast.walk(cell.tree)]:
        aliases = node.names if isinstance(node, ast.ImportFrom) else []
        for alias in aliases:
            name = alias.asname or alias.name
            if node.module == "beyond_kernel.figures" and alias.name in package_verbs():
                found.add(name)
            elif node.module == "beyond_kernel" and alias.name == "figures":
                found |= {f"{name}.{verb}" for verb in package_verbs()}
    return found


@cache
def package_verbs() -> frozenset[str]:
    """Return the public functions of beyond_kernel.figures that return a figure."""
    tree = parsed((ROOT / "src/beyond_kernel/figures.py").read_text(encoding="utf-8"))
    named = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name[0] != "_"]
    return frozenset(node.name for node in named if node.returns and ast.unparse(node.returns) == "Figure")


def _ends_in(cell: Cell) -> str:
    """Return what is called to make the value of the last expression, also by way of a name."""
    value = cell.last_expression
    if isinstance(value, ast.Name):
        assigned = [node for node in cell.tree.body if isinstance(node, ast.Assign)]
        made = [node.value for node in assigned if value.id in map(ast.unparse, node.targets)]
        value = made[-1] if made else None
    return ast.unparse(value.func) if isinstance(value, ast.Call) else ""


def _figure(cell: Cell, key: str) -> str:
    return cell.mystnb.get("figure", {}).get(key, "")


def _alt(cell: Cell) -> str:
    return cell.mystnb.get("image", {}).get("alt", "").strip()


RULES = (figure_exists, figure_caption, figure_name, figure_alt, figure_referenced, solution_figure)
