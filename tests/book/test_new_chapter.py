"""A chapter that was just laid runs and keeps every rule; what is red is only what a person must write."""

import os
import re
import shutil
import subprocess
import sys

import new_chapter
import plan
import pytest
import test_unwritten
import yaml
from chapter_cells import ROOT, read_notebook
from chapter_rules import check_chapter
from chapter_runs import LIGHT
from new_chapter import Name, Refused

LEFT_OUT = (".git", ".venv*", "_build", "build", "__pycache__", "*.egg-info", ".*_cache", ".ipynb_checkpoints")
PART, IDEA = "which_method_wins", "laid_by_a_test"
WHOLE = (
    "test_the_contents_list_every_chapter_and_every_page",
    "test_profiles_name_chapters_of_the_book_only",
    "test_citations_and_bibliography_agree",
    "test_labels_are_unique",
    "test_cross_references_lead_somewhere",
    "test_every_public_argument_is_in_a_table_of_the_notation_page",
)
"""The tests of the book that look at all chapters at once; the others have one case a chapter, a part or a file."""


@pytest.fixture
def copy(tmp_path):
    """Return a copy of the repository, without what is built or installed in it."""
    return shutil.copytree(ROOT, tmp_path / "book", ignore=shutil.ignore_patterns(*LEFT_OUT))


@pytest.fixture
def front(tmp_path):
    """Return the few files of the repository in which a chapter is entered, and empty chapters of two parts."""
    for path in ("_toc.yml", "pyproject.toml", *(f"book/{name}.md" for name in ("api", "api_transfer"))):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    shutil.copy(ROOT / "book/profiles.yml", tmp_path / "book")
    for name in ("feature_learning/one_step", "transfer/frozen_representation"):
        (tmp_path / f"chapters/{name}.ipynb").parent.mkdir(parents=True)
        (tmp_path / f"chapters/{name}.ipynb").write_text("{}")
    return tmp_path


def files(folder):
    return {path: path.read_text("utf-8") for path in folder.rglob("*") if path.is_file()}


def run(folder, *command):
    """Run Python in the copy, with the copy's own package, as `make` does; return status and what was written."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_"))}
    path = os.pathsep.join([str(LIGHT), str(folder / "src")])
    kept |= {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, text=True, env=kept)
    return done.returncode, done.stdout + done.stderr


def test_red_is_only_what_a_person_must_write(copy):
    """In a part without a chapter, so that its page and its place are laid too, and in the strictest of the rooms."""
    for name in (f"{PART}/{IDEA}", f"foundations/targets/{IDEA}_in_a_room"):
        status, written = run(copy, "book/new_chapter.py", name)
        assert status == 0, written
    chosen = f"({' or '.join([PART, IDEA, *WHOLE])}) and not n_see and not -d and not (in_a_room and (verdict or bad))"
    folders = ["tests/book", f"tests/{PART}", "--ignore=tests/book/test_new_chapter.py"]
    status, written = run(copy, "-m", "pytest", *"-v -p no:cacheprovider -p no:xdist -k".split(), chosen, *folders)
    red = set(re.findall(r"^(?:FAILED|ERROR) (\S+)", written, re.M))
    left = "tests/book/test_unwritten.py::test_nothing_is_left_for_the_author_to_write"
    assert red == {f"{left}[{PART}/{IDEA}]", f"{left}[foundations/{IDEA}_in_a_room]"}, written
    assert "holds 26 marks TODO" in written and "README.md does not list" in written
    for part in ("test_verdicts", "test_parameters_of_chapters", "test_chapters", f"{PART}/test_{IDEA}_cells"):
        assert f"{part}.py" in written, f"no test of {part}.py was run"


def test_a_laid_chapter_keeps_the_rules_and_says_what_is_left(front):
    """Also in a part that has chapters; every file that was laid asks for a sentence of its author."""
    written = new_chapter.lay(Name("transfer", "trial_run"), front)
    notebook = read_notebook(front / "chapters/transfer/trial_run.ipynb")
    profile = yaml.safe_load((front / "book/profiles.yml").read_text("utf-8"))["full"]["transfer/trial_run"]
    assert check_chapter(notebook, profile) == []
    for page in test_unwritten.LISTS:
        (front / page).write_text("")
    own = {path.relative_to(front).as_posix() for path in written if "trial_run" in path.name}
    assert len(own) == 5
    faults = test_unwritten.unwritten("transfer/trial_run", front)
    assert {fault.split(" ")[0] for fault in faults} == own | set(test_unwritten.LISTS)
    for path in own:
        (front / path).write_text("written")
    for page, entry in test_unwritten.ENTRY.items():
        (front / page).write_text(entry.format("transfer/trial_run"))
    assert test_unwritten.unwritten("transfer/trial_run", front) == []


CONTENTS = """format: jb-book
root: book/index
parts:
  - caption: Preface
    chapters:
      - file: book/how_to_read
  - caption: The kernel regime
    numbered: true
    chapters:
      - file: chapters/kernel_regime/lazy
      - file: chapters/kernel_regime/sparse
  - caption: Transfer
    numbered: true
    chapters:
      - file: chapters/transfer/frozen
  - caption: Back matter
    chapters:
      - file: book/claims
"""


@pytest.mark.parametrize(
    ("part", "after", "before"),
    [
        ("foundations", "book/how_to_read", "chapters/kernel_regime/lazy"),
        ("kernel_regime", "chapters/kernel_regime/sparse", "chapters/transfer/frozen"),
        ("escaping_the_kernel", "chapters/kernel_regime/sparse", "chapters/transfer/frozen"),
        ("transfer", "chapters/transfer/frozen", "book/claims"),
        ("which_method_wins", "chapters/transfer/frozen", "book/claims"),
    ],
)
def test_a_chapter_comes_last_in_its_part_and_its_part_in_reading_order(part, after, before, tmp_path):
    (tmp_path / "_toc.yml").write_text(new_chapter.in_contents(CONTENTS, Name(part, "new")))
    pages = plan.pages(tmp_path)
    place = pages.index(f"chapters/{part}/new")
    assert (pages[place - 1], pages[place + 1]) == (after, before)
    (block,) = [b for b in yaml.safe_load((tmp_path / "_toc.yml").read_text())["parts"] if f"{part}/new" in str(b)]
    assert block["caption"] == new_chapter.CAPTIONS[part] and block["numbered"]


def test_the_parts_have_the_names_that_the_contents_give_them():
    blocks = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))["parts"]
    told = {block["chapters"][0]["file"].split("/")[1]: block["caption"] for block in blocks if block.get("numbered")}
    assert told == {part: caption for part, caption in new_chapter.CAPTIONS.items() if part in told}
    assert list(told) == [part for part in new_chapter.CAPTIONS if part in told]


@pytest.mark.parametrize("name", [Name("foundations", 9 * "abc" + "_de", "exponents"), Name("transfer", "a")])
def test_the_linter_has_nothing_to_say_whatever_the_name(name, front):
    """Imports are sorted by names and lines grow with them; the longest idea and the shortest are laid.

    The lines of the notebook grow too, and fit on the page.
    """
    assert len(name.idea) in (1, new_chapter.LONGEST)
    shutil.copy(ROOT / "book/api_foundations.md", front / "book")
    written = new_chapter.lay(name, front)
    code = [str(path.relative_to(front)) for path in written if path.suffix in (".py", ".ipynb")]
    assert len(code) >= 5 and run(front, "-m", "ruff", "check", *code) == (0, "All checks passed!\n")
    assert run(front, "-m", "ruff", "format", "--check", *(path for path in code if path.endswith(".py")))[0] == 0
    notebook = read_notebook(front / f"chapters/{name.part}/{name.idea}.ipynb")
    assert check_chapter(notebook) == []


def test_the_modules_of_foundations_go_into_a_room(front):
    written = new_chapter.new_files(Name("foundations", "new", "inputs"), front)
    places = [path.relative_to(front).as_posix() for path in written]
    assert "src/beyond_kernel/foundations/inputs/new_cells.py" in places
    assert "tests/foundations/inputs/test_new.py" in places and "chapters/foundations/new.ipynb" in places
    filled = Name("foundations", "new", "inputs").fill("from PACKAGE.IDEA import x: tests/PLACE, PART/IDEA")
    assert filled == "from beyond_kernel.foundations.inputs.new import x: tests/foundations/inputs, foundations/new"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "write NAME=part/idea"),
        ("trial", "write NAME=part/idea"),
        ("transfer/trial/more/words", "write NAME=part/idea"),
        ("transfer/room/trial", "only foundations has rooms"),
        ("foundations/trial", "the rooms are targets, inputs"),
        ("foundations/cellar/trial", "the rooms are targets, inputs"),
        ("transfers/trial", "There is no part 'transfers': the parts are foundations"),
        ("transfer/../trial", "only foundations has rooms"),
        ("transfer/Trial", "'Trial' cannot name an idea"),
        ("transfer/two words", "'two words' cannot name an idea"),
        ("transfer/2nd", "'2nd' cannot name an idea"),
        ("transfer/lambda", "'lambda' cannot name an idea"),
        ("transfer/" + 31 * "a", "it has 31 letters, and 30 are accepted"),
        ("transfer/helpers", "'helpers' cannot name an idea"),
        ("transfer/transfer", "'transfer' cannot name an idea"),
        ("transfer/trial_cells", "_cells are added to its files"),
        ("transfer/frozen_representation", "chapters/transfer/frozen_representation.ipynb exists"),
        ("transfer/one_step", "chapters/feature_learning/one_step.ipynb exists"),
    ],
)
def test_a_bad_name_ends_in_one_sentence_and_lays_nothing(name, sentence, front, monkeypatch, capsys):
    monkeypatch.setattr(new_chapter, "ROOT", front)
    before = files(front)
    assert new_chapter.main([name]) == 1
    told = capsys.readouterr().err
    assert sentence in told and told.endswith(".\n") and told.count("\n") == 1
    assert files(front) == before


@pytest.mark.parametrize("place", ["src/beyond_kernel/transfer/trial.py", "tests/transfer/test_trial_cells.py"])
def test_nothing_is_half_laid(place, front):
    (front / place).parent.mkdir(parents=True)
    (front / place).write_text("mine")
    before = files(front)
    with pytest.raises(Refused, match=f"Nothing was laid, since {place} exists"):
        new_chapter.lay(Name("transfer", "trial"), front)
    assert files(front) == before
