"""Write the table of the founding papers' results: what each says, where it is run, and what became of it."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger import Claims
from plan import BuildError

PAGE, ROWS = "founding_results.md", "founding_results.toml"
MARKER = "<!-- founding results -->"
HOLDS, ABSENT, OUT_OF_REACH = "holds", "not in the book", "not at this scale"
WORDS = {
    HOLDS: "✔ holds",
    "direction only": "◐ direction only",
    OUT_OF_REACH: "◌ not at this scale",
    ABSENT: "– not in the book",
}
FAILS, UNDECIDED = "✘ a claim does not hold in this build", "◌ a claim was not decided in this build"


@dataclass(frozen=True)
class Result:
    """A result of a paper.

    Attributes:
        cite: key of the paper in the bibliography.
        statement: its number, or the part of the abstract.
        text: what it says, in a sentence.
        chapter: where it is told, as part and idea.
        cited: what stands of it in the chapter; empty where the chapter does not name it.
        claims: ids of the claims that measure it.
        status: the author's word, a key of ``WORDS``.
        reason: why it is not plain "holds".
    """

    cite: str
    statement: str
    text: str
    chapter: str
    cited: str
    claims: tuple[str, ...]
    status: str
    reason: str = ""


@dataclass(frozen=True)
class Paper:
    """A paper with its key, its name, how far it was read, and its results."""

    cite: str
    name: str
    read: str
    results: tuple[Result, ...]


def read_papers(path: Path) -> list[Paper]:
    """Return the papers with their results.

    Raises:
        BuildError: if an entry lacks something, has an unknown status, or a status without its reason or its claims.
    """
    papers = tomllib.loads(path.read_text("utf-8"))["paper"]
    return [
        Paper(
            paper["cite"], paper["name"], paper["read"], tuple(_result(paper["cite"], row) for row in paper["result"])
        )
        for paper in papers
    ]


def _result(cite: str, entry: Mapping[str, Any]) -> Result:
    try:
        result = Result(cite, **(dict(entry) | {"claims": tuple(entry["claims"])}))
    except (KeyError, TypeError) as error:
        raise BuildError(f"{ROWS}: {cite}, {entry.get('statement')}: {error}.") from None
    faults = {
        f"status {result.status!r} is not one of {', '.join(WORDS)}": result.status not in WORDS,
        "a reason is missing": result.status != HOLDS and not result.reason,
        "claims are missing": result.status not in (ABSENT, OUT_OF_REACH) and not result.claims,
    }
    if told := [fault for fault, there in faults.items() if there]:
        raise BuildError(f"{ROWS}: {cite}, {result.statement}: {'; '.join(told)}.")
    return result


def status(result: Result, verdicts: Mapping[str, bool | None]) -> str:
    """Return what became of a result: a claim that fails or is not decided comes before the author's word.

    Args:
        result: a row.
        verdicts: by id of a claim, whether it holds; None where it was not decided.

    Raises:
        BuildError: if no chapter makes a claim of the row.
    """
    if missing := [claim for claim in result.claims if claim not in verdicts]:
        raise BuildError(f"{ROWS}: {result.cite}, {result.statement}: no chapter makes the claim {missing[0]}.")
    found = [verdicts[claim] for claim in result.claims]
    if False in found:
        return FAILS
    return UNDECIDED if None in found else WORDS[result.status]


def write_page(folder: Path, claims: Claims) -> None:
    """Put the tables in place of the marker of the page in a folder; a book without the page has none.

    Args:
        folder: with page and rows.
        claims: of the whole book, by chapter.

    Raises:
        BuildError: if a row is at fault, or the page has no marker.
    """
    page = folder / PAGE
    if not page.is_file():
        return
    text = page.read_text("utf-8")
    if MARKER not in text:
        raise BuildError(f"{PAGE} has no line {MARKER}, where the tables belong.")
    verdicts = {claim["id"]: claim["holds"] for found in claims.values() for claim in found}
    papers = read_papers(folder / ROWS)
    counts = _counts([status(result, verdicts) for paper in papers for result in paper.results])
    sections = [_section(paper, verdicts) for paper in papers]
    page.write_text(text.replace(MARKER, "\n\n".join([counts, *sections])), "utf-8")


def _counts(found: list[str]) -> str:
    told = [f"{found.count(word)} {word}" for word in (*WORDS.values(), FAILS, UNDECIDED) if word in found]
    return f"**{len(found)} results: {', '.join(told)}.**"


def _section(paper: Paper, verdicts: Mapping[str, bool | None]) -> str:
    rows = [["Result", "Status", "Chapter, and the claims that measure it"]]
    for result in paper.results:
        reason = f". {result.reason}" if result.reason else ""
        links = [f"{{ref}}`{_words(claim)} <claim-{claim.replace('/', '-')}>`" for claim in result.claims]
        place = f"{{doc}}`/chapters/{result.chapter}`"
        rows.append(
            [
                f"**{result.statement}.** {result.text}",
                f"[{status(result, verdicts)}]{{.verdict}}{reason}",
                f"{place}: {', '.join(links)}" if links else place,
            ]
        )
    body = "\n".join(("* - " if not place else "  - ") + cell for row in rows for place, cell in enumerate(row))
    table = f"```{{list-table}}\n:header-rows: 1\n:class: ledger\n:widths: 40 32 28\n\n{body}\n```"
    return f"## {paper.name}\n\n{{cite:t}}`{paper.cite}`, {paper.read}.\n\n{table}"


def _words(claim: str) -> str:
    """Return the id of a claim in words, which a line can break."""
    idea, name = claim.split("/")
    return f"{idea}: {name}".replace("_", " ")
