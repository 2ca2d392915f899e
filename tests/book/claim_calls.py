"""The claims of a chapter, read from its code without running it."""

import ast
import inspect
from collections.abc import Set

from chapter_cells import ROOT, Cell, Chapter, keywords, literal
from ledger import test_of

from beyond_kernel.claims import Ledger

WORDS = ("statement", "source", "test", "why")
TOLERANCES = ("at_least", "at_most")
ACCEPTED = list(inspect.signature(Ledger.claim).parameters)[1:]


def claim_calls(chapter: Chapter) -> list[tuple[Cell, ast.Call]]:
    """Return every call of ``ledger.claim(...)`` with its cell."""
    return [(cell, call) for cell in chapter.code for call in cell.calls("claim")]


def arguments(call: ast.Call) -> dict[str, ast.expr]:
    """Return the arguments by name, positional ones too."""
    return dict(zip(ACCEPTED, call.args, strict=False)) | keywords(call)


def name_of(call: ast.Call) -> str | None:
    """Return the literal name of a claim, or None."""
    found, value = literal(arguments(call).get("name", ast.Name("missing")))
    return value if found and isinstance(value, str) else None


def claim_names(chapter: Chapter) -> list[str]:
    """Return the literal names of all claims."""
    return [name for _, call in claim_calls(chapter) if (name := name_of(call))]


def claim_faults(name: str, chapter: Chapter) -> list[str]:
    """Return what is wrong with the claims of the chapter ``part/idea``, one sentence each."""
    calls, names = claim_calls(chapter), claim_names(chapter)
    idea = name.split("/")[-1]
    faults = [] if calls else ["the chapter makes no claim"]
    for cell, call in calls:
        label = f"cell {cell.number}: claim {name_of(call) or ast.unparse(call)[:40]!r}"
        faults += [f"{label}: {fault}" for fault in _call_faults(call, name)]
    faults += [f"the name {n!r} is taken twice" for n in sorted(set(names)) if names.count(n) > 1]
    ledgers = [ast.unparse(call) for cell in chapter.code for call in cell.calls("Ledger")]
    if ledgers != [f"Ledger({idea!r})"]:
        faults.append(f"there must be one Ledger({idea!r}); there is {ledgers}")
    printed = "".join(cell.stdout for cell in chapter.tagged("verdict"))
    faults += [f"the stored verdict lacks {idea}/{n}" for n in names if f"{idea}/{n}:" not in printed]
    return faults


def functions_of(path: str) -> Set[str]:
    """Return the names of the functions in a file below the repository's root."""
    file = ROOT / path
    tree = ast.parse(file.read_text(encoding="utf-8") if file.is_file() else "")
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def _call_faults(call: ast.Call, chapter: str) -> list[str]:
    given = arguments(call)
    faults = [] if name_of(call) else ["the name must be written out, so that it can be found"]
    faults += [f"{word} is missing or empty" for word in WORDS if not _says_something(given.get(word))]
    faults += [f"{name} is missing" for name in ("measured", "predicted") if name not in given]
    faults += [f"Ledger.claim takes no {name}" for name in given if name not in ACCEPTED]
    if not set(TOLERANCES) & set(given):
        faults.append(f"it has no tolerance: give {' or '.join(TOLERANCES)}")
    found, test = literal(given.get("test", ast.Name("missing")))
    if found and not _test_exists(test, chapter):
        faults.append(f"there is no test {test}")
    elif not found:
        faults.append("the test must be written out")
    return faults


def _says_something(node: ast.expr | None) -> bool:
    """Whether a text is there: anything computed counts, a literal must not be blank."""
    if node is None:
        return False
    found, value = literal(node)
    return bool(value and str(value).strip()) if found else True


def _test_exists(test: str, chapter: str) -> bool:
    path, function = test_of({"test": test}, chapter)
    return function.startswith("test_") and function in functions_of(path)
