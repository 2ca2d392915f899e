"""Small changes of a notebook, as functions that change it in place; one that finds nothing to change fails.

A cell is named by a piece of its source that stands only once in the notebook.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

Notebook = dict[str, Any]
Change = Callable[[Notebook], None]


def index_of(notebook: Notebook, text: str) -> int:
    """Return the index of the cell that holds ``text``.

    Raises:
        ValueError: if the text does not stand exactly once in the notebook.
    """
    cells = enumerate(notebook["cells"])
    found = [index for index, cell in cells for _ in range(cell["source"].count(text))]
    if len(found) != 1:
        raise ValueError(f"{text!r} must stand once in the notebook; it stands there {len(found)} times")
    return found[0]


def all_of(*changes: Change) -> Change:
    """Make every one of ``changes``, in this order."""

    def change(notebook: Notebook) -> None:
        for one in changes:
            one(notebook)

    return change


def replace(old: str, new: str) -> Change:
    """Write ``new`` for ``old``, which stands once in the notebook."""

    def change(notebook: Notebook) -> None:
        cell = notebook["cells"][index_of(notebook, old)]
        cell["source"] = cell["source"].replace(old, new)

    return change


def insert_code(source: str, after: str) -> Change:
    """Put a code cell behind the cell that holds ``after``."""
    empty = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    return _insert(empty | {"source": source}, after)


def insert_text(source: str, after: str) -> Change:
    """Put a markdown cell behind the cell that holds ``after``."""
    return _insert({"cell_type": "markdown", "metadata": {}, "source": source}, after)


def _insert(cell: dict[str, Any], after: str) -> Change:
    def change(notebook: Notebook) -> None:
        notebook["cells"].insert(index_of(notebook, after) + 1, deepcopy(cell))

    return change


def drop(first: str, cells: int = 1) -> Change:
    """Take out the cell that holds ``first``, as the first of this many ``cells``."""

    def change(notebook: Notebook) -> None:
        begin = index_of(notebook, first)
        del notebook["cells"][begin : begin + cells]

    return change


def move(first: str, after: str, cells: int = 1) -> Change:
    """Put the cell that holds ``first``, and the next ones up to this many ``cells``, behind another cell."""

    def change(notebook: Notebook) -> None:
        begin = index_of(notebook, first)
        moved = notebook["cells"][begin : begin + cells]
        del notebook["cells"][begin : begin + cells]
        target = index_of(notebook, after) + 1
        notebook["cells"][target:target] = moved

    return change


def put(path: str, value: Any, cell: str | None = None) -> Change:
    """Set what stands at ``path``, such as ``metadata.tags``, in a cell or in the whole notebook."""

    def change(notebook: Notebook) -> None:
        place, key = _place(notebook, path, cell)
        place[key] = value

    return change


def take(path: str, cell: str | None = None) -> Change:
    """Take out what stands at ``path`` in a cell or in the whole notebook.

    Raises:
        KeyError: if nothing stands there.
    """

    def change(notebook: Notebook) -> None:
        place, key = _place(notebook, path, cell)
        del place[key]

    return change


def _place(notebook: Notebook, path: str, cell: str | None) -> tuple[dict[str, Any], str]:
    """Return the mapping that holds the last key of ``path``, made where it is missing, and that key."""
    place = notebook if cell is None else notebook["cells"][index_of(notebook, cell)]
    *outer, key = path.split(".")
    for name in outer:
        place = place.setdefault(name, {})
    return place, key
