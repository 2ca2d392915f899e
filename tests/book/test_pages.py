"""From executed chapters to pages: what a chapter shows of its run, and the ledger of claims."""

import ast
import base64
import json
import re

import ledger
import math_macros
import nbformat
import plain_docstrings
import pytest
import site_source
from chapter_cells import ROOT
from myst_text import doubled_backslashes
from parameter_table import LABEL, meanings
from plan import BuildError
from runs import RECORD

CLAIM = {
    "id": "idea/rises", "statement": "The overlap of z2*z3 rises with n/d^2 | <always>.", "source": "Paper, Theorem 1",
    "test": "test_rises", "predicted": 0.7, "measured": 0.71234, "spread": "0.6 to 0.8 over 5",
    "tolerance": "at least 0.65", "why": "twenty seeds passed", "holds": True, "outside": "", "unmeasured": "",
}  # fmt: skip


def executed(claims: list[dict] | None, injected: bool = True) -> nbformat.NotebookNode:
    """Return a notebook as papermill and the build leave it."""
    cell = nbformat.v4.new_code_cell
    cells = [
        nbformat.v4.new_markdown_cell("# An idea: $n/d^2$\n\nWhat is it?"),
        cell(
            "d = 3  # dimension, at least 2\n# a polynomial | a text\ntarget = 'z1'\nseed = 0",
            metadata={"tags": ["parameters"], "papermill": {"duration": 1.0}},
        ),
        *[cell("# Parameters\nd = 40\n", metadata={"tags": ["injected-parameters"]})] * injected,
        cell("print(d)"),
        nbformat.v4.new_markdown_cell("## Further reading"),
    ]
    if claims is not None:
        data = nbformat.v4.new_output("display_data", data={ledger.MIME: claims, "text/plain": "claims"})
        cells[-2].outputs = [data]
    made = {
        "key": "k", "profile": "full", "parameters": [["d", 40], ["target", "He2(z1)"], ["seed", 5]], "seconds": 192.4,
        "python": "3.11.9", "versions": {"torch": "2.13.0+cpu", "numpy": "2.4.6"}, "machine": "2 cores of X(R) <Y>",
    }  # fmt: skip
    return nbformat.v4.new_notebook(cells=cells, metadata={RECORD: made, "papermill": {"input_path": "/home/me/x"}})


@pytest.fixture
def root(tmp_path):
    (tmp_path / "tests/part").mkdir(parents=True)
    (tmp_path / "tests/part/test_idea.py").write_text("def test_rises(): ...\n")
    return tmp_path


def check(root, *claims: dict) -> str:
    """Return the sentence with which the ledger refuses claims, or nothing."""
    try:
        ledger.check({"part/idea": list(claims)}, root)
    except BuildError as error:
        return str(error)
    return ""


def test_claims_are_found_among_the_outputs():
    assert ledger.claims_of(executed([CLAIM])) == [CLAIM]
    assert ledger.claims_of(executed(None)) == []


def test_complete_claims_pass_whatever_their_verdict(root):
    failed = CLAIM | {"id": "idea/falls", "holds": False}
    outside = CLAIM | {"id": "idea/later", "holds": None, "outside": "d is below 10", "measured": "nan"}
    unmeasured = CLAIM | {"id": "idea/ends", "holds": None, "unmeasured": "never below 0.1", "measured": "nan"}
    assert check(root, CLAIM, failed, outside, unmeasured) == ""


@pytest.mark.parametrize("field", ledger.FIELDS)
def test_a_claim_that_lacks_a_field_is_refused(root, field):
    claim = {name: value for name, value in CLAIM.items() if name != field}
    assert f"the field {field!r} is missing" in check(root, claim)


@pytest.mark.parametrize("field", ledger.WORDS)
def test_a_claim_with_an_empty_field_is_refused(root, field):
    assert f"the field {field!r} is empty" in check(root, CLAIM | {field: ""})


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"holds": "yes"}, "holds is 'yes', not true, false or null"),
        ({"holds": 1}, "holds is 1, not true, false or null"),
        ({"holds": None}, "not exactly one of `outside` and `unmeasured` gives the reason"),
        ({"holds": None, "outside": "d", "unmeasured": "n"}, "not exactly one of `outside` and `unmeasured`"),
        ({"holds": False, "unmeasured": "n"}, "there is a verdict, and `unmeasured` says that there can be none"),
        ({"id": "another/rises"}, "the id must begin with idea/"),
        ({"test": "test_nothing"}, "there is no test tests/part/test_idea.py::test_nothing"),
        ({"test": "tests/part/test_gone.py::test_rises"}, "there is no test tests/part/test_gone.py::test_rises"),
        ({"test": "test_ris"}, "there is no test"),
    ],
)
def test_a_claim_that_is_wrong_is_refused(root, change, fault):
    assert fault in check(root, CLAIM | change)


@pytest.mark.parametrize("place", ["part/test_idea_cells.py", "part/inputs/test_idea.py"])
def test_a_bare_name_is_found_beside_the_cells_and_in_a_room(root, place):
    (root / f"tests/{place}").parent.mkdir(exist_ok=True)
    (root / f"tests/{place}").write_text("def test_elsewhere(): ...\n")
    assert ledger.test_of({"test": "test_elsewhere"}, "part/idea", root) == (f"tests/{place}", "test_elsewhere")
    assert check(root, CLAIM | {"test": "test_elsewhere"}) == ""


def test_all_faults_of_all_chapters_are_told_at_once(root):
    claims = {"part/idea": [CLAIM, CLAIM, CLAIM | {"id": "idea/x", "source": ""}], "part/silent": []}
    with pytest.raises(BuildError) as error:
        ledger.check(claims, root)
    lines = str(error.value).splitlines()[1:]
    assert [line.strip() for line in lines] == [
        "part/silent emits no claims.",
        "idea/rises: the id is taken twice.",
        "idea/x: the field 'source' is empty.",
    ]


def test_the_ledger_page_shows_each_claim_with_its_verdict_in_words(tmp_path):
    page = tmp_path / "claims.md"
    page.write_text(f"# Ledger\n\nProse.\n\n{ledger.MARKER}\n\nThe end.\n")
    outside = CLAIM | {"id": "idea/later", "holds": None, "outside": "d is below 10"}
    unmeasured = CLAIM | {"id": "idea/ends", "holds": None, "unmeasured": "never below", "measured": "nan"}
    claims = {"part/idea": [CLAIM, CLAIM | {"id": "idea/falls", "holds": False}, outside, unmeasured]}
    ledger.write_page(page, claims, {"part/idea": "An idea"})
    text = page.read_text()
    assert text.startswith("# Ledger\n\nProse.\n\n**4 claims in 1 chapters: 1 holds, 1 does not, 1 outside")
    assert "1 outside the range claimed, 1 could not be measured here.**" in text
    assert "[◌ could not be measured here]{.verdict}: never below\n  - –\n" in text
    assert "[◌ outside the range claimed]{.verdict}: d is below 10\n  - 0.712" in text
    assert text.endswith("The end.\n") and ledger.MARKER not in text
    for name in ("rises", "falls", "later", "ends"):
        assert f"(claim-idea-{name})=" in text
    assert all(words in text for words in ("✔ holds", "✘ does not hold", "◌ outside the range claimed"))
    assert "`tests/part/test_idea.py::test_rises`" in text and "0.712" in text and "0.71234" not in text
    assert r"z2\*z3 rises with n\/d\^2 \| \<always\>\." in text  # words stay words


def test_the_terminal_shows_prediction_and_measurement_and_why_there_is_no_verdict():
    unmeasured = CLAIM | {"id": "idea/ends", "holds": None, "unmeasured": "never below 0.1", "measured": "nan"}
    first, second = ledger.lines([CLAIM, unmeasured])
    assert first.startswith("  ✔ holds  idea/rises: ")
    assert first.endswith("[measured 0.712, predicted 0.7, at least 0.65]")
    assert second.startswith("  ◌ could not be measured here (never below 0.1)  idea/ends: ")
    assert ledger.count([CLAIM]) == "1 holds, 0 do not, 0 outside the range claimed"


def test_a_page_without_the_marker_is_refused(tmp_path):
    page = tmp_path / "claims.md"
    page.write_text("# Ledger\n")
    with pytest.raises(BuildError, match="no line <!-- ledger -->"):
        ledger.write_page(page, {"part/idea": [CLAIM]}, {"part/idea": "An idea"})


def test_claims_are_written_as_data_with_chapter_and_profile(tmp_path):
    ledger.write_data(tmp_path / "claims.json", {"part/idea": [CLAIM]}, "full")
    expected = {"profile": "full", "claims": [{"chapter": "part/idea", **CLAIM}]}
    assert json.loads((tmp_path / "claims.json").read_text()) == expected


def rows(text: str) -> list[list[str]]:
    """Return the cells of a list-table by row."""
    return [row.split("\n  - ") for row in text.partition("\n\n")[2].removesuffix("\n```")[4:].split("\n* - ")]


def test_the_page_shows_its_parameters_as_a_table_and_folds_the_code():
    cells = site_source.site_copy(executed([CLAIM])).cells
    table, code, injected = cells[1:4]
    assert "remove-cell" in injected.metadata["tags"] and "injected-parameters" in injected.metadata["tags"]
    assert table.source.startswith("```{list-table} Parameters of the run on this page (full profile)\n")
    assert rows(table.source) == [
        ["Parameter", "Default", "This run", "Meaning"],
        ["`d`", "`3`", "`40`", r"dimension\, at least 2"],
        ["`target`", "`'z1'`", "`'He2(z1)'`", r"a polynomial \| a text"],
        ["`seed`", "`0`", "`5`", "–"],
    ]
    assert code.source.startswith("d = 3") and {"parameters", "hide-input"} <= set(code.metadata["tags"])
    assert code.metadata["mystnb"] == {"code_prompt_show": LABEL, "code_prompt_hide": LABEL}


def test_the_page_says_its_parameters_at_the_quick_profile_too():
    notebook = executed([CLAIM], injected=False)
    notebook.metadata[RECORD] |= {"profile": "quick", "parameters": [["d", 3], ["target", "z1"], ["seed", 0]]}
    table = site_source.site_copy(notebook).cells[1].source
    assert "(quick profile)" in table
    assert [row[1:3] for row in rows(table)[1:]] == [["`3`", "`3`"], ["`'z1'`", "`'z1'`"], ["`0`", "`0`"]]


@pytest.mark.parametrize(
    ("source", "meaning"),
    [
        ("n = 3  # a size", "a size"),
        ("# a size\nn = 3", "a size"),
        ("# above\nn = 3  # behind", "behind"),
        ("k = 1  # another\nn = 3", ""),
        ("n = [\n    1,\n    2,\n]  # two sizes", "two sizes"),
        ('n = "# no comment"  # a text', "a text"),
    ],
)
def test_the_meaning_of_a_parameter_is_its_comment(source, meaning):
    assert meanings(source)["n"] == meaning


def test_the_page_ends_with_how_it_was_made():
    note = site_source.site_copy(executed([CLAIM])).cells[-1].source
    plain = re.sub(r"\\(.)", r"\1", note)
    for words in ("Full profile, seed 5", "3 min 12 s", "one BLAS thread", "2 cores of X(R) <Y>", "Python 3.11.9",
                  "torch 2.13.0+cpu", "numpy 2.4.6"):  # fmt: skip
        assert words in plain


def test_the_page_gives_away_no_path_of_this_machine():
    text = nbformat.writes(site_source.site_copy(executed([CLAIM])))
    assert "/home/me" not in text and "papermill" not in text


def test_a_page_may_show_the_figures_of_this_run(tmp_path):
    notebook = executed([CLAIM])
    picture = b"\x89PNG of this run"
    image = {"image/png": base64.b64encode(picture).decode(), "text/plain": "<Figure>"}
    for source, name in (("named", "fig-idea"), ("in a solution", None), ("drew nothing", "fig-empty")):
        cell = nbformat.v4.new_code_cell(source, metadata={"mystnb": {"figure": {"name": name}}} if name else {})
        printed = nbformat.v4.new_output("stream", text="n = 3")
        cell.outputs = [printed, *[nbformat.v4.new_output("execute_result", data=image)] * (source != "drew nothing")]
        notebook.cells.append(cell)
    site_source.write_figures(notebook, tmp_path / "figures")
    written = {path.name: path.read_bytes() for path in (tmp_path / "figures").iterdir()}
    assert written == {"fig-idea.png": picture}


def test_the_copy_of_a_page_is_a_valid_notebook():
    nbformat.validate(site_source.site_copy(executed([CLAIM])))


def test_what_jupyter_book_complains_about_is_shown():
    text = "reading sources\n\x1b[91mpage.md:3: WARNING: undefined label: 'x'\x1b[39m\nbuild finished with problems\n"
    assert site_source.complaints(text) == "  page.md:3: WARNING: undefined label: 'x'"
    assert site_source.complaints("first\nlast") == "  first\n  last"


@pytest.mark.parametrize("page", sorted((ROOT / "book").glob("*.md")), ids=lambda page: page.name)
def test_no_page_has_a_doubled_backslash(page):
    assert doubled_backslashes(page.read_text("utf-8")) == []


@pytest.mark.parametrize("module", sorted((ROOT / "src").rglob("*.py")), ids=lambda path: path.stem)
def test_no_docstring_has_a_doubled_backslash(module):
    """Docstrings become pages; a backslash that is doubled in the file, in a plain string, is a single one there."""
    defined = (ast.Module, ast.ClassDef, ast.FunctionDef)
    nodes = [node for node in ast.walk(ast.parse(module.read_text("utf-8"))) if isinstance(node, defined)]
    assert [found for node in nodes for found in doubled_backslashes(ast.get_docstring(node) or "")] == []


@pytest.mark.parametrize(
    ("line", "escaped"),
    [
        ("The norm |H w| is small.", r"The norm \|H w\| is small."),
        ("z1*z2 and ``a | b*c_`` and x_ end", r"z1\*z2 and ``a | b*c_`` and x\_ end"),
        ("Plain x_i and *very stressed* words.", "Plain x_i and *very stressed* words."),
        ("z1*z2*z3 and 2 * x", r"z1\*z2\*z3 and 2 \* x"),
        ("``lone | literal``", "``lone | literal``"),
    ],
)
def test_signs_in_docstrings_are_no_markup(line, escaped):
    assert plain_docstrings.escape(line) == escaped


def test_blocks_in_docstrings_stay_as_they_are():
    lines = ["Rules|::", "", "    a | b", "      c * d", "", "    e | f", "After |g|"]
    assert plain_docstrings.escape_all(lines) == [r"Rules\|::", *lines[1:6], r"After \|g\|"]


def test_macros_are_the_same_in_latex():
    assert math_macros.latex_definition("R", r"\mathbb{R}") == r"\providecommand{\R}{}\renewcommand{\R}{\mathbb{R}}"
    two = math_macros.latex_definition("inner", [r"\langle #1, #2 \rangle", 2])
    assert two == r"\providecommand{\inner}{}\renewcommand{\inner}[2]{\langle #1, #2 \rangle}"
