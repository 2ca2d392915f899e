"""Every claim of a chapter has a name, a statement, a source, a test that exists, a tolerance, a reason."""

import ast

import pytest
from chapter_cells import Chapter, chapter_names, read_chapter, read_notebook
from claim_calls import claim_faults, claim_names
from good_chapter import GOOD_CHAPTER

PROMISED = {
    "kernel_regime/degree_by_degree": {"order_of_degrees"},
    "feature_learning/one_step": {
        "gradient_follows_hessian",
        "overlap_at_16_d2",
        "overlap_collapses",
        "risk_ratio_to_best_kernel",
        "he3_overlap_is_flat",
        "he4_overlap_rises",
        "degenerate_hessian_plateau",
    },
    "transfer/frozen_representation": {"transfer_grows_slower", "scratch_slope"},
}


@pytest.mark.parametrize("name", chapter_names())
def test_claims_are_complete(name):
    faults = claim_faults(name, read_chapter(name))
    assert not faults, "\n" + "\n".join(faults)


@pytest.mark.parametrize("name", PROMISED)
def test_chapter_makes_the_claims_for_which_it_was_written(name):
    assert PROMISED[name] <= set(claim_names(read_chapter(name)))


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('"average_settles"', "name", "must be written out"),
        ('source="Chebyshev 1867",', "", "source is missing"),
        ('why="three standard errors"', 'why=" "', "why is missing or empty"),
        ('test="test_good_chapter_passes"', 'test="test_of_nothing"', "there is no test test_of_nothing"),
        ("at_most=3 / n**0.5,", "", "no tolerance"),
        ("predicted=0.0,", "", "predicted is missing"),
        ("predicted=0.0,", "predicted=0.0, within=1,", "takes no within"),
        ('Ledger("chapter_rules")', 'Ledger("one_step")', "there must be one Ledger('chapter_rules')"),
        ('"average_settles"', '"average_is_low"', "the stored verdict lacks chapter_rules/average_is_low"),
        ("ledger.claim(", "ledger.claims(", "makes no claim"),
        ("ledger.verdict()", "ledger.claim('average_settles')", "'average_settles' is taken twice"),
    ],
)
def test_an_incomplete_claim_is_seen(old, new, fault):
    notebook = read_notebook(GOOD_CHAPTER)
    # As if the good chapter were book/chapter_rules, whose test is tests/book/test_chapter_rules.py.
    replace(notebook, "averages", "chapter_rules")
    replace(notebook, "test_average_settles", "test_good_chapter_passes")
    assert claim_faults("book/chapter_rules", Chapter(notebook)) == []
    replace(notebook, old, new)
    assert fault in "\n".join(claim_faults("book/chapter_rules", Chapter(notebook)))


def replace(notebook, old, new):
    assert any(old in cell["source"] for cell in notebook["cells"])
    for cell in notebook["cells"]:
        cell["source"] = cell["source"].replace(old, new)
        for output in cell.get("outputs", []):
            output["text"] = output["text"].replace(old, new) if old == "averages" else output["text"]


@pytest.mark.parametrize("name", chapter_names())
def test_no_claim_is_printed_where_it_is_made(name):
    """The last value of a cell stands on the page unless a semicolon ends it; the verdict prints all claims."""
    cells = [cell["source"].rstrip() for cell in read_chapter(name).notebook["cells"] if cell["cell_type"] == "code"]
    assert [text for text in cells if shows_its_claim(text)] == []


def test_a_printed_claim_is_seen():
    assert shows_its_claim('x = 1\nledger.claim("a")') and not shows_its_claim('ledger.claim("a");')


def shows_its_claim(text):
    """Return whether a cell ends with a claim that Jupyter shows."""
    last = ([None] + ast.parse(text).body)[-1] if "ledger.claim(" in text else None
    return isinstance(last, ast.Expr) and "ledger.claim(" in ast.unparse(last) and not text.endswith(";")
