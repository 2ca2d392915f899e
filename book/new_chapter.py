"""Lay a new chapter from the pattern: algorithm, experiments, their tests, notebook, and its places in the book.

python book/new_chapter.py transfer/in_context
python book/new_chapter.py foundations/inputs/mixtures      (foundations has rooms: its modules go into one of them)
"""

import keyword
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ledger import ROOMS

ROOT = Path(__file__).resolve().parents[1]
PATTERN = Path(__file__).resolve().parent / "pattern"
CAPTIONS = {
    "foundations": "Foundations",
    "kernel_regime": "The kernel regime",
    "escaping_the_kernel": "Escaping the kernel",
    "feature_learning": "Feature learning",
    "transfer": "Transfer",
    "which_method_wins": "Which method wins",
}
"""The parts of the book in reading order, with their names in the table of contents."""
LONGEST = 30  # letters of an idea, so that its names fit into the lines of the pattern
VAGUE = ("utils", "util", "helpers", "helper", "common", "misc")
FORM = "write NAME=part/idea, such as transfer/in_context (in foundations: foundations/room/idea)"


class Refused(Exception):
    """Why nothing was laid, as one sentence."""


@dataclass(frozen=True)
class Name:
    """Where a chapter stands: part and idea, and for a chapter of foundations the room of its modules."""

    part: str
    idea: str
    room: str = ""

    @property
    def place(self) -> str:
        return f"{self.part}/{self.room}" if self.room else self.part

    def fill(self, text: str) -> str:
        """Return a text of the pattern with this chapter's names in it."""
        names = {
            "PACKAGE": f"beyond_kernel.{self.place.replace('/', '.')}",
            "PLACE": self.place,
            "PART": self.part,
            "LABEL": self.idea.replace("_", "-"),
            "TITLE": self.idea.replace("_", " ").capitalize(),
            "IDEA": self.idea,
        }
        return re.sub("|".join(names), lambda found: names[found[0]], text)


def main(arguments: Sequence[str]) -> int:
    """Lay the chapter that the command line names and return the exit status."""
    try:
        name = read_name(arguments[0] if len(arguments) == 1 else " ".join(arguments), ROOT)
        written = lay(name, ROOT)
    except Refused as fault:
        print(fault, file=sys.stderr)
        return 1
    print("Laid:", *(f"  {path.relative_to(ROOT)}" for path in written), sep="\n")
    print(f"It runs as it stands: make chapter CHAPTER={name.part}/{name.idea}. What is left to write: make test says.")
    return 0


def read_name(given: str, root: Path) -> Name:
    """Return where the chapter ``part/idea`` stands.

    Raises:
        Refused: if the name cannot be one of a new chapter.
    """
    words = given.split("/")
    if len(words) < 2 or len(words) > 3:
        raise Refused(f"NAME={given!r} is not accepted: {FORM}.")
    part, *rooms, idea = words
    if part not in CAPTIONS:
        raise Refused(f"There is no part {part!r}: the parts are {', '.join(CAPTIONS)}.")
    if part == "foundations" and (not rooms or rooms[0] not in ROOMS):
        raise Refused(f"NAME={given!r} names no room of foundations: the rooms are {', '.join(ROOMS)}; {FORM}.")
    if part != "foundations" and rooms:
        raise Refused(f"NAME={given!r} is not accepted: only foundations has rooms; {FORM}.")
    _check_idea(idea, root)
    return Name(part, idea, *rooms)


def lay(name: Name, root: Path) -> list[Path]:
    """Write the files of a chapter and enter it into the contents, the profiles and the reference; return the paths.

    Raises:
        Refused: if one of the files exists; then nothing is written.
    """
    new = {path: name.fill(text) for path, text in new_files(name, root).items()}
    taken = [path.relative_to(root).as_posix() for path in new if path.exists() and path.name != "__init__.py"]
    if taken:
        raise Refused(f"Nothing was laid, since {' and '.join(taken)} exists: take another name.")
    changed = changed_files(name, root)
    laid = {path: text for path, text in new.items() if not path.exists()}
    written = laid | changed
    for path, text in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    _sort_imports(list(laid), root)
    return list(written)


def new_files(name: Name, root: Path) -> dict[Path, str]:
    """Return the files that a chapter has of its own, with the text of the pattern."""
    source, tests = root / "src/beyond_kernel" / name.place, root / "tests" / name.place
    return {
        source / "__init__.py": "",
        source / f"{name.idea}.py": _pattern("idea.py.txt"),
        source / f"{name.idea}_cells.py": _pattern("idea_cells.py.txt"),
        tests / f"test_{name.idea}.py": _pattern("test_idea.py.txt"),
        tests / f"test_{name.idea}_cells.py": _pattern("test_idea_cells.py.txt"),
        root / "chapters" / name.part / f"{name.idea}.ipynb": _pattern("idea.ipynb"),
    }


def changed_files(name: Name, root: Path) -> dict[Path, str]:
    """Return the new text of the files of the book in which a chapter is entered."""
    book = root / "book"
    page, contents = book / f"api_{name.part}.md", (root / "_toc.yml").read_text(encoding="utf-8")
    files = {}
    if not page.exists():
        contents = _after_earlier(contents, "      - file: book/api_{part}", "_toc.yml", name.part)
        links = (book / "api.md").read_text(encoding="utf-8")
        files[book / "api.md"] = _after_earlier(links, "- {{doc}}`api_{part}`", "book/api.md", name.part)
    before = page.read_text(encoding="utf-8") if page.exists() else f"# {CAPTIONS[name.part]}: the package\n"
    profiles = (book / "profiles.yml").read_text(encoding="utf-8")
    return {
        root / "_toc.yml": in_contents(contents, name),
        book / "profiles.yml": profiles.rstrip("\n") + "\n" + name.fill(_pattern("profile.yml.txt")),
        page: before.rstrip("\n") + "\n" + name.fill(_pattern("api.md.txt")),
        **files,
    }


def in_contents(contents: str, name: Name) -> str:
    """Return the table of contents with the chapter as the last of its part; the part comes where it is read."""
    blocks = re.split(r"^(?=  - caption:)", contents, flags=re.M)
    line, order = f"      - file: chapters/{name.part}/{name.idea}\n", list(CAPTIONS)
    parts = [found[1] if (found := re.search(r"file: chapters/(\w+)/", block)) else "" for block in blocks]
    if name.part in parts:
        place = parts.index(name.part)
        blocks[place] = blocks[place].rstrip("\n") + "\n" + line
        return "".join(blocks)
    earlier = [i for i, part in enumerate(parts) if part and order.index(part) < order.index(name.part)]
    new = f"  - caption: {CAPTIONS[name.part]}\n    numbered: true\n    chapters:\n{line}"
    blocks.insert(earlier[-1] + 1 if earlier else 2, new)  # 2: behind the head of the file and the preface
    return "".join(blocks)


def _check_idea(idea: str, root: Path) -> None:
    if len(idea) > LONGEST:
        raise Refused(f"{idea!r} cannot name an idea: it has {len(idea)} letters, and {LONGEST} are accepted at most.")
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", idea) or keyword.iskeyword(idea):
        raise Refused(f"{idea!r} cannot name an idea: it must be a Python name of lower-case words joined by _.")
    if idea in VAGUE or idea in CAPTIONS and idea != "which_method_wins":
        raise Refused(f"{idea!r} cannot name an idea: it names a part or nothing in particular.")
    if idea.startswith("test_") or idea.endswith("_cells"):
        raise Refused(f"{idea!r} cannot name an idea: test_ and _cells are added to its files.")
    if taken := sorted((root / "chapters").glob(f"*/{idea}.ipynb")):
        where = taken[0].relative_to(root).as_posix()
        raise Refused(f"Nothing was laid, since {where} exists: an idea has one chapter, whatever the part.")


def _after_earlier(text: str, line: str, where: str, part: str) -> str:
    """Return the text with a line for ``part`` behind that of the last earlier part that has one."""
    order = list(CAPTIONS)
    for earlier in reversed(order[: order.index(part)]):
        before = line.format(part=earlier) + "\n"
        if before in text:
            return text.replace(before, before + line.format(part=part) + "\n")
    raise Refused(f"Nothing was laid, since the line {line.format(part=order[0])!r} is missing from {where}.")


def _pattern(file: str) -> str:
    return (PATTERN / file).read_text(encoding="utf-8")


def _sort_imports(paths: Sequence[Path], root: Path) -> None:
    """Bring imports into the linter's order, which depends on the names, and code into its format."""
    code = [str(path) for path in paths if path.suffix == ".py"]
    ruff = [sys.executable, "-m", "ruff"]
    subprocess.run([*ruff, "check", "--quiet", "--select", "I", "--fix", *map(str, paths)], cwd=root, check=True)
    subprocess.run([*ruff, "format", "--quiet", *code], cwd=root, check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
