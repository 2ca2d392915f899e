"""How much code of a chapter its reader sees, how much is folded, and the line in its head that says so.

python book/count_lines.py                      the count of every chapter, and whether its head agrees
python book/count_lines.py --write              the same, and write it into the heads
python book/count_lines.py --write one_step     ... of the chapters that are named
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from plan import BuildError, chapters, find_chapter

ROOT = Path(__file__).resolve().parents[1]
FOLDED = {"hide-input", "hide-cell"}
NOT_COUNTED = {"remove-input", "remove-cell", "parameters", "verdict"}
STATED = re.compile(r"^\*\*Code:?\*\* about (\d+) lines in view, (\d+) folded$", re.M)


class Count(NamedTuple):
    """Lines of code that stand open on the page of a chapter, and lines that are folded."""

    in_view: int
    folded: int

    def __str__(self) -> str:
        return f"about {self.in_view} lines in view, {self.folded} folded"


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Print the counts, write them if asked to, and return 1 if a head says something else."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the counts into the heads of the chapters")
    parser.add_argument("chapter", nargs="*", help="part/idea or idea (every chapter)")
    options = parser.parse_args(arguments)
    try:
        names = [find_chapter(given, chapters(root)) for given in options.chapter] or chapters(root)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    agree = [_report(root / "chapters" / f"{name}.ipynb", name, options.write) for name in names]
    return 0 if all(agree) else 1


def count(cells: Sequence[dict[str, Any]]) -> Count:
    """Return how many lines of code a reader of these cells sees and how many are folded, blank lines left out.

    What lies in a solution is folded with it. The cells of parameters and verdict count as neither, and so does what
    the page does not show at all.
    """
    found = {True: 0, False: 0}
    for cell, in_solution in _code(cells):
        tags = set(cell["metadata"].get("tags", []))
        if not tags & NOT_COUNTED:
            lines = text_of(cell).splitlines()
            found[in_solution or bool(tags & FOLDED)] += sum(bool(line.strip()) for line in lines)
    return Count(found[False], found[True])


def stated(head: str) -> Count | None:
    """Return the count that the head of a chapter states, or None."""
    match = STATED.search(head)
    return Count(int(match[1]), int(match[2])) if match else None


def with_count(head: str, counted: Count) -> str:
    """Return the head of a chapter with the line of the count: in place of the old one, or behind the line on time."""
    line = f"**Code** {counted}"
    if STATED.search(head):
        return STATED.sub(line, head)
    return re.sub(r"(^\*\*Time:?\*\*.*(?:\n.+)*)", rf"\1\n\n{line}", head, count=1, flags=re.M)


def text_of(cell: dict[str, Any]) -> str:
    """Return the source of a cell as one text."""
    return "".join(cell["source"])


def _code(cells: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], bool]]:
    """Yield each code cell, and whether it stands in a solution."""
    in_solution = False
    for cell in cells:
        if cell["cell_type"] == "code":
            yield cell, in_solution
        else:
            marks = re.findall(r"\{solution-(start|end)\}", text_of(cell))
            in_solution = marks[-1] == "start" if marks else in_solution


def _report(path: Path, name: str, write: bool) -> bool:
    """Print the count of a chapter, write it if asked to, and return whether its head agrees in the end."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    first, counted = notebook["cells"][0], count(notebook["cells"])
    if write and stated(text_of(first)) != counted:
        first["source"] = with_count(text_of(first), counted).splitlines(keepends=True)
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    told = stated(text_of(first))
    note = "" if told == counted else f"; its head says {told or 'nothing'}"
    print(f"{name}: {counted.in_view} lines in view, {counted.folded} folded{note}")
    return told == counted


if __name__ == "__main__":
    sys.exit(main())
