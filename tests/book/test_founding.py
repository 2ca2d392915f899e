"""The table of the founding papers: every row has its chapter, its claims and its place, and a failure turns it."""

import founding
import pytest
from chapter_cells import ROOT, chapter_names, read_chapter
from claim_calls import claim_names
from founding import FAILS, UNDECIDED, WORDS, read_papers, status
from plan import BuildError
from references import read_bibliography, read_sources

PAPERS = read_papers(ROOT / "book" / founding.ROWS)
RESULTS = [result for paper in PAPERS for result in paper.results]
MADE = {f"{name.split('/')[-1]}/{claim}": name for name in chapter_names() for claim in claim_names(read_chapter(name))}
ROW = """
[[paper]]
cite = "one2000"
name = "One 2000"
read = "read in full"
[[paper.result]]
statement = "Theorem 1"
text = "It rises."
chapter = "part/idea"
cited = "Theorem 1"
claims = ["idea/rises", "idea/falls"]
status = "direction only"
reason = "It is small."
"""


def identify(result):
    return f"{result.cite}: {result.statement}"


@pytest.mark.parametrize("result", RESULTS, ids=identify)
def test_each_row_has_a_chapter_that_cites_it_and_claims_that_are_made(result):
    assert result.chapter in chapter_names()
    text = read_sources()[f"chapters/{result.chapter}"]
    assert result.cite in text and result.cited in text
    assert set(result.claims) <= set(MADE), "no chapter makes this claim"
    assert bool(result.cited) or result.status == founding.ABSENT


def test_the_papers_are_in_the_bibliography_and_their_main_theorems_in_the_table():
    """Numbers as printed in the proceedings, read there: theorems outside of the appendices."""
    known = {entry.key for entry in read_bibliography((ROOT / "book/references.bib").read_text(encoding="utf-8"))}
    assert {paper.cite for paper in PAPERS} <= known
    theorems = {
        "damian2022neural": range(1, 4),
        "safran2022optimization": [2, 3, 4, 5, 8],
        "zhou2021local": range(3, 8),
    }
    for cite, wanted in theorems.items():
        told = " ".join(result.statement for result in RESULTS if result.cite == cite)
        assert all(str(number) in told.replace(",", " ").split() for number in wanted), cite


def row(name="direction only", claims=("idea/rises", "idea/falls")):
    return founding.Result("one2000", "Theorem 1", "It rises.", "part/idea", "Theorem 1", claims, name, "It is small.")


@pytest.mark.parametrize("name", WORDS)
def test_a_failing_claim_turns_the_row(name):
    verdicts = {"idea/rises": True, "idea/falls": True}
    assert status(row(name), verdicts) == WORDS[name]
    assert status(row(name), verdicts | {"idea/falls": False}) == FAILS
    assert status(row(name), verdicts | {"idea/falls": None}) == UNDECIDED
    assert status(row(name), {"idea/rises": None, "idea/falls": False}) == FAILS
    with pytest.raises(BuildError, match="no chapter makes the claim idea/falls"):
        status(row(name), {"idea/rises": True})


def test_the_page_holds_every_row_with_its_links(tmp_path):
    (tmp_path / founding.PAGE).write_text(f"# Papers\n\n{founding.MARKER}\n")
    (tmp_path / founding.ROWS).write_text(ROW)
    claims = {"part/idea": [{"id": "idea/rises", "holds": True}, {"id": "idea/falls", "holds": False}]}
    founding.write_page(tmp_path, claims)
    text = (tmp_path / founding.PAGE).read_text()
    assert founding.MARKER not in text and f"**1 results: 1 {FAILS}.**" in text
    assert "{doc}`/chapters/part/idea`" in text and "{ref}`idea: rises <claim-idea-rises>`" in text
    assert "**Theorem 1.** It rises." in text and f"[{FAILS}]{{.verdict}}. It is small." in text
    assert text.count("\n* - ") == 2 and text.count("\n  - ") == 4


def test_the_real_page_is_written_when_all_claims_hold(tmp_path):
    for name in (founding.PAGE, founding.ROWS):
        (tmp_path / name).write_text((ROOT / "book" / name).read_text(encoding="utf-8"), encoding="utf-8")
    claims = {name: [{"id": claim, "holds": True} for claim in MADE if MADE[claim] == name] for name in chapter_names()}
    founding.write_page(tmp_path, claims)
    text = (tmp_path / founding.PAGE).read_text(encoding="utf-8")
    assert text.count("\n* - ") == len(RESULTS) + len(PAPERS) and FAILS not in text


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('status = "direction only"', 'status = "nearly"', "'nearly' is not one of"),
        ('reason = "It is small."', "", "a reason is missing"),
        ('claims = ["idea/rises", "idea/falls"]', "claims = []", "claims are missing"),
        ('statement = "Theorem 1"', "", "statement"),
        ('text = "It rises."', 'texts = "It rises."', "texts"),
    ],
)
def test_a_row_at_fault_is_refused(old, new, told, tmp_path):
    assert old in ROW
    (tmp_path / founding.ROWS).write_text(ROW.replace(old, new))
    with pytest.raises(BuildError, match=told):
        read_papers(tmp_path / founding.ROWS)


def test_a_book_without_the_page_and_a_page_without_the_marker(tmp_path):
    founding.write_page(tmp_path, {})
    (tmp_path / founding.PAGE).write_text("# Papers\n")
    with pytest.raises(BuildError, match="no line"):
        founding.write_page(tmp_path, {})
