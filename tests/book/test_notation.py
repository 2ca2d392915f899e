"""The notation page names every public argument as it is called in code, and no symbol on it means two things."""

import importlib
import inspect
import pkgutil
import re
from collections import Counter
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


def symbols(cell: str) -> set[str]:
    """Return the symbols of the first column of a row, as they are written there; of a definition the left side."""
    formulas = re.findall(r"\$([^$]+)\$", cell)
    parts = [
        part for formula in formulas for part in re.split(r",(?![^(]*\))", re.split(r"(?<!\\)=|\\mapsto", formula)[0])
    ]
    return {re.sub(r"\s+", "", part) for part in parts if part.strip() and r"\dots" not in part}


def twice(page: str) -> dict[str, int]:
    """Return each symbol that stands in the first column of several rows of the page, with their number."""
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")]
    found = Counter(symbol for first, *_ in rows for symbol in symbols(first))
    return {symbol: rows for symbol, rows in found.items() if rows > 1}


def test_no_symbol_has_two_meanings():
    assert twice((ROOT / "book/notation.md").read_text(encoding="utf-8")) == {}


def test_a_symbol_with_two_meanings_is_seen():
    page = "| Symbol | Meaning |\n|---|---|\n| $d$ | size |\n| $r$, $u_1, \\dots, u_r$ | rank |\n| — | law |\n"
    assert twice(page) == {}
    assert twice(page + "| — | text |\n") == {}
    assert twice(page + "| $x$, $d$ | another |\n") == {"d": 2}
    assert twice(page + "| $u_1, \\dots, u_q$ | more of them |\n") == {"u_1": 2}
    assert twice(page + "| $r = \\sqrt d$ | radius |\n") == {"r": 2}
    assert symbols(r"$B(d, k)$, $\kappa = \norm{H}$") == {"B(d,k)", r"\kappa"}
