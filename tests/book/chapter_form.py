"""Rules about what a reader sees of a chapter: little code, the rest folded under a label, results as tables."""

import ast
import re
from collections.abc import Iterator

from chapter_cells import Cell, Chapter, Fault
from count_lines import FOLDED, count, stated
from myst_text import doubled_backslashes

DEFAULT_LABEL = re.compile(r"\b(show|hide)\b.*\bcode cell\b", re.I)
SHORTEST_LABEL = 5
PLUMBING = {"imports": "Imports", "check-parameters": "Check of the parameters"}
SHOWN = ("table", "sentence")


def plumbing_folded(chapter: Chapter) -> Iterator[Fault]:
    """Imports, the check of the parameters and the claims are folded, each under its own label."""
    for cell in chapter.code:
        wanted = [label for tag, label in PLUMBING.items() if tag in cell.tags]
        wanted += ["Claim"] if cell.calls("claim") else []
        for label in wanted:
            if not FOLDED & set(cell.tags):
                yield cell.number, f"fold it: the tag `hide-input`, under the label {label!r}"
            elif not _label(cell).startswith(label):
                yield cell.number, f"its label must begin with {label!r}; it is {_label(cell)!r}"


def folded_labels(chapter: Chapter) -> Iterator[Fault]:
    """The label of a folded cell says what is inside, and says the same whether it is open or closed."""
    for cell in chapter.code:
        shown, hidden = cell.mystnb.get("code_prompt_show", ""), cell.mystnb.get("code_prompt_hide", "")
        if not FOLDED & set(cell.tags):
            if shown or hidden:
                yield cell.number, "it has a label and is not folded: the tag `hide-input` is missing"
        elif shown != hidden:
            yield cell.number, f"code_prompt_show and code_prompt_hide must be equal: {shown!r} and {hidden!r}"
        elif len(shown.strip()) < SHORTEST_LABEL or DEFAULT_LABEL.search(shown):
            yield cell.number, "it is folded, and mystnb.code_prompt_show must say what is inside"


def code_counted(chapter: Chapter) -> Iterator[Fault]:
    """The header says how many lines of code are in view and how many are folded."""
    counted, told = count(chapter.notebook["cells"]), stated(chapter.cells[0].source)
    if told != counted:
        command = "python book/count_lines.py --write"
        yield 1, f"the header must say `**Code** {counted}`, not {told or 'nothing'}: {command}"


def results_shown(chapter: Chapter) -> Iterator[Fault]:
    """No result is printed: a table or a sentence ends its cell, which shows it."""
    for cell in chapter.code:
        for call in cell.calls("print"):
            yield cell.number, f"show `{ast.unparse(call)}` as a table or a sentence, do not print it"
        for call in [call for name in SHOWN for call in cell.calls(name) if isinstance(call.func, ast.Name)]:
            if call is not cell.last_expression:
                yield cell.number, f"`{ast.unparse(call.func)}(...)` must be the last expression of its cell"


def no_doubled_backslash(chapter: Chapter) -> Iterator[Fault]:
    """A command of the mathematics begins with one backslash, in text, captions and the strings of code."""
    for cell in chapter.cells:
        texts = _strings(cell) if cell.is_code else [cell.source]
        for text in texts:
            for found in doubled_backslashes(text):
                yield cell.number, f"a doubled backslash: {found!r}"


def _label(cell: Cell) -> str:
    return cell.mystnb.get("code_prompt_show", "")


def _strings(cell: Cell) -> list[str]:
    """Return the texts of a code cell that end on the page: its strings, and caption and alternative text."""
    found = [node.value for node in ast.walk(cell.tree) if isinstance(node, ast.Constant)]
    described = [part for place in ("figure", "image") for part in cell.mystnb.get(place, {}).values()]
    return [text for text in [*found, *described] if isinstance(text, str)]


RULES = (plumbing_folded, folded_labels, code_counted, results_shown, no_doubled_backslash)
