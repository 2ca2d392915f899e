"""Every public argument of the package is explained on the notation page, under the name it has in code."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator

from chapter_cells import ROOT

import beyond_kernel

# Names that need no line of their own: here is what they mean, the same everywhere.
EXPLAINED_HERE = {
    "name": "the name of the argument, method or claim at hand",
    "value": "the value that is checked",
    "self": "the object itself",
}


def public_callables() -> Iterator[tuple[str, object]]:
    """Yield every public function, class and method that the package defines, with its full name."""
    for info in pkgutil.walk_packages(beyond_kernel.__path__, "beyond_kernel."):
        for name, thing in vars(importlib.import_module(info.name)).items():
            own = getattr(thing, "__module__", None) == info.name and not name.startswith("_")
            if own and (inspect.isfunction(thing) or inspect.isclass(thing)):
                yield f"{info.name}.{name}", thing
                for inner, method in vars(thing).items() if inspect.isclass(thing) else ():
                    if inspect.isfunction(method) and not inner.startswith("_"):
                        yield f"{info.name}.{name}.{inner}", method


def arguments(thing: object) -> set[str]:
    """Return the names of the arguments of a callable, without ``*args`` and ``**kwargs``."""
    if inspect.isclass(thing) and issubclass(thing, Exception):
        return set()
    gathered = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = inspect.signature(thing).parameters.values()
    return {parameter.name for parameter in parameters if parameter.kind not in gathered}


def names_in_tables(page: str) -> set[str]:
    """Return every name that stands alone in backticks in a row of a table."""
    rows = [line for line in page.splitlines() if line.lstrip().startswith(("|", "* -", "- "))]
    return {name for row in rows for name in re.findall(r"(?<!`)`([A-Za-z_]\w*)`(?!`)", row)}


def unexplained(page: str, explained: set[str]) -> dict[str, list[str]]:
    """Return each argument that the page does not name, with the callables that take it."""
    known = names_in_tables(page) | explained
    found: dict[str, list[str]] = {}
    for place, thing in public_callables():
        for name in sorted(arguments(thing) - known):
            found.setdefault(name, []).append(place)
    return found


def test_every_public_argument_is_in_a_table_of_the_notation_page():
    missing = unexplained((ROOT / "book/notation.md").read_text(encoding="utf-8"), set(EXPLAINED_HERE))
    lines = [f"`{name}`: {', '.join(places)}" for name, places in sorted(missing.items())]
    assert not missing, "book/notation.md lacks\n" + "\n".join(lines)


def test_an_unexplained_argument_is_seen():
    page = "| symbol | code |\n|---|---|\n| $d$ | `dim`, `d` |\n\nThe width `width` stands in no table.\n"
    assert names_in_tables(page) == {"dim", "d"}
    places = [place for found in unexplained(page, set()).values() for place in found]
    assert "beyond_kernel.checks.whole_number" in unexplained(page, set())["name"]
    assert "beyond_kernel.claims.Ledger.claim" in places
