"""The rules of chapters can fail: for each there is a notebook that breaks it, and nothing else."""

import pytest
from chapter_cells import ROOT, read_notebook
from chapter_rules import RULES, check_chapter

BROKEN = ROOT / "tests/book/broken"
PROFILE = {"n", "seed", "n_seeds"}
PROFILES = {"parameters_have_seeds": {"n", "seed"}}


def load(name):
    return read_notebook(BROKEN / f"{name}.ipynb")


def rules_of(faults):
    return {fault.partition(":")[0] for fault in faults}


def test_good_chapter_passes():
    assert check_chapter(load("good"), PROFILE) == []


@pytest.mark.parametrize("rule", RULES)
def test_broken_chapter_is_rejected_by_its_rule_alone(rule):
    assert rules_of(check_chapter(load(rule), PROFILES.get(rule, PROFILE))) == {rule}


def test_each_rule_has_a_broken_chapter_and_each_broken_chapter_a_rule():
    assert {path.stem for path in BROKEN.glob("*.ipynb")} == set(RULES) | {"good"}


# Most rules can be broken in more than one way; here is the good chapter with one text replaced by another.
OTHER_WAYS = [
    ("title_first", "## An average of", "# An average of"),
    ("one_question", "Like $1", "Like what? $1"),
    ("opening_lines", "**Time:**", "Time:"),
    ("section_order", "### Further reading", "### References"),
    ("section_order", "## An average of Gaussian numbers", ""),
    ("three_exercises", ":label: ex-average-1", ""),
    ("solutions_run", ":class: dropdown", ""),
    ("solutions_run", "{solution-start} ex-average-1", "{solution-start} ex-averages"),
    ("verdict_cell", "ledger.verdict()", "print(ledger)"),
    ("emit_cell", "ledger.emit()", "errors"),
    ("parameters_are_literals", "seed = 0 ", "seed: int = 0 "),
    ("parameters_are_explained", "# first seed, a whole number", "# seed"),
    ("parameters_are_explained", "# numbers that are averaged, a whole number of at least 16", ""),
    ("parameters_are_checked", "globals()", "locals()"),
    ("parameters_are_checked", "    n_seeds=whole_number,\n", "    n_seed=whole_number,\n"),
    ("parameters_are_kept", "draws = {s:", "for seed in seeds:\n    pass\ndraws = {s:"),
    ("short_functions", "seeds = range", f"class Draws:{5 * chr(10)}    a = 1\nseeds = range"),
    ("no_install", "seeds = range", "!conda install xarray\nseeds = range"),
    ("no_install", "seeds = range", "'pip install xarray'\nseeds = range"),
    ("no_machine_paths", '"The average settles"', '"/data/averages"'),
    ("no_machine_paths", "Four times", "Look at /home/reader: four times"),
    ("no_network", "import torch\n", "import urllib.request\n\nimport torch\n"),
    ("measured_by_the_run", "measured=errors.sel(n=n).median().item()", "measured=-0.02"),
    ("empty_words", "four times the numbers, half the size", "it is easy to see"),
]


@pytest.mark.parametrize(("rule", "old", "new"), OTHER_WAYS)
def test_a_rule_sees_the_other_ways_to_break_it(rule, old, new):
    notebook = load("good")
    assert any(old in cell["source"] for cell in notebook["cells"])
    for cell in notebook["cells"]:
        cell["source"] = cell["source"].replace(old, new)
    assert rule in rules_of(check_chapter(notebook, PROFILE))


def test_measured_through_a_name_is_still_typed_in():
    notebook = load("measured_by_the_run")
    for cell in notebook["cells"]:
        named = cell["source"].replace("=0.02,", "=found,")
        cell["source"] = named.replace("ledger = ", "found = 0.02\nledger = ")
    assert rules_of(check_chapter(notebook, PROFILE)) == {"measured_by_the_run"}


def test_verb_without_metadata_is_a_figure_also_by_way_of_a_name():
    for source in ("curves(errors)", "shown = curves(errors)\nshown"):
        notebook = load("good")
        cell = next(cell for cell in notebook["cells"] if "mystnb" in cell["metadata"])
        cell.update(source=source, metadata={})
        assert {"figure_caption", "figure_name", "figure_alt"} <= rules_of(check_chapter(notebook, PROFILE))


def test_verdict_without_execution_count_is_rejected_since_nbval_would_skip_it():
    notebook = load("good")
    for cell in notebook["cells"]:
        if "verdict" in cell["metadata"].get("tags", []):
            cell["execution_count"] = None
    assert rules_of(check_chapter(notebook, PROFILE)) == {"verdict_output"}


def test_a_fault_names_the_cell_and_what_is_wrong():
    (fault,) = check_chapter(load("no_execution_counts"), PROFILE)
    assert fault == "no_execution_counts: cell 6: strip the execution count (3)."
