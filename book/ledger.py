"""Collect the claims that executed chapters emit, and write them as the ledger page."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from plan import BuildError

MIME = "application/vnd.beyond-kernel.claims+json"
WORDS = ("id", "statement", "source", "test", "tolerance", "why")
FIELDS = (*WORDS, "predicted", "measured", "spread", "holds", "outside", "unmeasured")
ROOMS = ("targets", "inputs", "exponents", "learning")  # of foundations, whose modules have no place of their own
MARKER = "<!-- ledger -->"
VERDICTS = {True: "✔ holds", False: "✘ does not hold", None: "◌ outside the range claimed"}
UNMEASURED = "◌ could not be measured here"

Claims = Mapping[str, list[dict[str, Any]]]
"""Claims by chapter ("part/idea")."""
ROOT = Path(__file__).resolve().parents[1]


def claims_of(notebook: nbformat.NotebookNode) -> list[dict[str, Any]]:
    """Return the claims among the outputs of an executed notebook."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    found = [output.data[MIME] for output in outputs if MIME in output.get("data", {})]
    return [dict(claim) for data in found for claim in (json.loads(data) if isinstance(data, str) else data)]


def check(claims: Claims, root: Path) -> None:
    """Refuse chapters without claims, claims that lack something, and claims whose test does not exist.

    Raises:
        BuildError: with one line for each fault.
    """
    faults = [f"{chapter} emits no claims." for chapter, found in claims.items() if not found]
    seen: set[str] = set()
    for chapter, found in claims.items():
        for number, claim in enumerate(found, start=1):
            name = claim.get("id") or f"claim {number} of {chapter}"
            faults += [f"{name}: {fault}." for fault in faults_of(claim, chapter, root)]
            if name in seen:
                faults.append(f"{name}: the id is taken twice.")
            seen.add(name)
    if faults:
        raise BuildError("The ledger of claims is not complete:\n  " + "\n  ".join(faults))


def faults_of(claim: Mapping[str, Any], chapter: str, root: Path) -> list[str]:
    """Return what is wrong with one claim, in words."""
    faults = [f"the field {field!r} is missing" for field in FIELDS if field not in claim]
    faults += [f"the field {field!r} is empty" for field in WORDS if field in claim and not claim[field]]
    if faults:
        return faults
    if not str(claim["id"]).startswith(f"{chapter.split('/')[-1]}/"):
        faults.append(f"the id must begin with {chapter.split('/')[-1]}/")
    if not (claim["holds"] is None or isinstance(claim["holds"], bool)):
        faults.append(f"holds is {claim['holds']!r}, not true, false or null")
    reasons = bool(claim["outside"]) + bool(claim["unmeasured"])
    if claim["holds"] is None and reasons != 1:
        faults.append("holds is null, and not exactly one of `outside` and `unmeasured` gives the reason")
    if claim["holds"] is not None and claim["unmeasured"]:
        faults.append("there is a verdict, and `unmeasured` says that there can be none")
    path, function = test_of(claim, chapter, root)
    if not defines(root / path, function):
        faults.append(f"there is no test {path}::{function}")
    return faults


def test_of(claim: Mapping[str, Any], chapter: str, root: Path = ROOT) -> tuple[str, str]:
    """Return file and function of the test that guards a claim.

    A bare name stands in the tests of the idea or of its cells, in the folder of the part or in a room of it.
    """
    part, idea = chapter.split("/")
    path, _, function = str(claim["test"]).rpartition("::")
    function, rooms = function.split("[")[0], [part, *(f"{part}/{room}" for room in ROOMS)]
    places = [f"tests/{room}/test_{idea}{kind}.py" for room in rooms for kind in ("", "_cells")]
    return path or next((place for place in places if defines(root / place, function)), places[0]), function


def defines(path: Path, function: str) -> bool:
    """Say whether a file of tests defines a function."""
    return path.is_file() and re.search(rf"def {re.escape(function)}\b", path.read_text("utf-8")) is not None


def count(claims: list[dict[str, Any]]) -> str:
    """Return how many claims hold, fail, are not made or could not be measured, in words."""
    verdicts = [verdict(claim) for claim in claims]
    held, failed, outside, unmeasured = (verdicts.count(word) for word in (*VERDICTS.values(), UNMEASURED))
    verbs = "holds" if held == 1 else "hold", "does" if failed == 1 else "do"
    told = f"{held} {verbs[0]}, {failed} {verbs[1]} not, {outside} outside the range claimed"
    return f"{told}, {unmeasured} could not be measured here" if unmeasured else told


def verdict(claim: Mapping[str, Any]) -> str:
    """Return the verdict of a claim with its sign: holds, fails, is not made here, or could not be measured here."""
    return UNMEASURED if claim["unmeasured"] else VERDICTS[claim["holds"]]


def reason(claim: Mapping[str, Any]) -> str:
    """Return why a claim has no verdict; nothing where it has one."""
    return claim["unmeasured"] or (claim["outside"] if claim["holds"] is None else "")


def lines(claims: list[dict[str, Any]]) -> list[str]:
    """Return claims as lines for a terminal."""
    return [
        f"  {verdict(claim)}{f' ({why})' if (why := reason(claim)) else ''}  {claim['id']}: {claim['statement']}"
        f" [measured {number(claim['measured'])}, predicted {number(claim['predicted'])}, {claim['tolerance']}]"
        for claim in claims
    ]


def write_page(page: Path, claims: Claims, titles: Mapping[str, str]) -> None:
    """Put the ledger in place of the marker of a page.

    Raises:
        BuildError: if the page has no marker.
    """
    text = page.read_text("utf-8")
    if MARKER not in text:
        raise BuildError(f"{page.name} has no line {MARKER}, where the ledger belongs.")
    everything = [claim for found in claims.values() for claim in found]
    summary = f"**{len(everything)} claims in {len(claims)} chapters: {count(everything)}.**"
    sections = [section(chapter, found, titles[chapter]) for chapter, found in claims.items()]
    page.write_text(text.replace(MARKER, "\n\n".join([summary, *sections])), "utf-8")


def section(chapter: str, claims: list[dict[str, Any]], title: str) -> str:
    """Return the ledger of one chapter as MyST: heading, summary and table."""
    head = ["Claim", "Verdict", "Measured", "Tolerance", "Predicted"]
    rows = [head, *[cells(claim, chapter) for claim in claims]]
    body = "\n".join(
        ("* - " if column == 0 else "  - ") + cell.replace("\n", "\n    ")
        for row in rows
        for column, cell in enumerate(row)
    )
    table = f"```{{list-table}}\n:header-rows: 1\n:class: ledger\n:widths: 38 14 15 18 15\n\n{body}\n```"
    return f"## {title}\n\nIn {{doc}}`the chapter </chapters/{chapter}>`: {count(claims)}.\n\n{table}"


def cells(claim: Mapping[str, Any], chapter: str) -> list[str]:
    """Return one row of the table: what is claimed and on what grounds, the numbers, the verdict."""
    path, function = test_of(claim, chapter)
    grounds = f"`{claim['id']}` · Source: {plain(claim['source'])} · Test: `{path}::{function}`"
    spread = f"\n\n[{plain(claim['spread'])}]{{.grounds}}" if claim["spread"] else ""
    why = f": {plain(reason(claim))}" if reason(claim) else ""
    return [
        f"(claim-{claim['id'].replace('/', '-')})=\n{plain(claim['statement'])}\n\n[{grounds}]{{.grounds}}",
        f"[{verdict(claim)}]{{.verdict}}{why}",
        f"{number(claim['measured'])}{spread}",
        f"{plain(claim['tolerance'])}\n\n[{plain(claim['why'])}]{{.grounds}}",
        number(claim["predicted"]),
    ]


def number(value: Any) -> str:
    """Return a number to three digits, words as they are, nothing and what is no number as a dash."""
    if value in (None, "", "nan"):
        return "–"
    return plain(value) if isinstance(value, str) else f"{value:.3g}"


def plain(text: str) -> str:
    """Return text with every character escaped that means something in Markdown."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", str(text).strip())


def write_data(path: Path, claims: Claims, profile: str) -> None:
    """Write all claims with their chapters as JSON."""
    rows = [{"chapter": chapter, **claim} for chapter, found in claims.items() for claim in found]
    path.write_text(json.dumps({"profile": profile, "claims": rows}, indent=1, ensure_ascii=False), "utf-8")
