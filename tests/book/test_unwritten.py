"""What only a person can write: in place of the marks that a chapter was laid with, and on the front pages."""

import re
from pathlib import Path

import pytest
from chapter_cells import ROOT, chapter_names

MARK = re.compile(r"\bTODO\b")
LISTS = {"README.md": "a row of its table", "book/index.md": "a card", "book/teaching.md": "the rows of its exercises"}
ENTRY = {
    "README.md": "](chapters/{}.ipynb)",
    "book/index.md": "{{doc}}`/chapters/{}`**",
    "book/teaching.md": "| {{doc}}`/chapters/{}` | {{ref}}",
}


def files_of(name: str, root: Path) -> list[Path]:
    """Return the files that bear the name of the chapter ``part/idea``: notebook, modules, tests."""
    part, idea = name.split("/")
    found = [root / "chapters" / f"{name}.ipynb"]
    for folder in (root / "src/beyond_kernel" / part, root / "tests" / part):
        found += [path for path in sorted(folder.rglob("*.py")) if re.fullmatch(rf"(test_)?{idea}(_\w+)?", path.stem)]
    return [path for path in found if path.is_file()]


def unwritten(name: str, root: Path = ROOT) -> list[str]:
    """Return one sentence for each file of a chapter that holds marks, and for each page that does not list it."""
    faults = []
    for path in files_of(name, root):
        if count := len(MARK.findall(path.read_text(encoding="utf-8"))):
            faults.append(f"{path.relative_to(root).as_posix()} holds {count} marks TODO: write what they ask for")
    for page, what in LISTS.items():
        if ENTRY[page].format(name) not in (root / page).read_text(encoding="utf-8"):
            faults.append(f"{page} does not list chapters/{name}: add {what}")
    return faults


@pytest.mark.parametrize("name", chapter_names())
def test_nothing_is_left_for_the_author_to_write(name):
    faults = unwritten(name)
    assert not faults, f"chapter {name}:\n" + "\n".join(faults)
