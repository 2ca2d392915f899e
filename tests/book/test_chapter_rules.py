"""The rules of chapters can fail: each has mutations of the good chapter that break it, and nothing else."""

import count_lines
import pytest
from chapter_cells import read_notebook
from chapter_mutations import MUTATIONS
from chapter_rules import RULES, check_chapter
from count_lines import Count, count, stated, with_count
from good_chapter import DRAWS, FIGURE, GOOD_CHAPTER, VERDICT, broken, fold, unfold
from notebook_changes import all_of, drop, index_of, insert_code, insert_text, move, put, replace, take
from tiny_book import Repository

PROFILE = {"n", "seed", "n_seeds"}
PROFILES = {"parameters_have_seeds": {"n", "seed"}}
CASES = [(rule, mutation) for rule, mutations in MUTATIONS.items() for mutation in mutations]
NAMES = [f"{rule}-{number}" for rule, mutations in MUTATIONS.items() for number in range(len(mutations))]

# Some faults cannot come alone: these mutations break several rules, and say which.
TOGETHER = [
    ({"title_first", "section_order"}, replace("## An average of", "# An average of")),
    ({"three_exercises", "solutions_run"}, replace(":label: ex-average-1", "")),
    (
        {"parameters_are_literals", "parameters_have_seeds", "parameters_are_checked", "parameters_match_profile"},
        replace("seed = 0 ", "seed: int = 0 "),
    ),
    ({"verdict_cell", "emit_cell", "outputs_stripped", "no_execution_counts"}, replace(VERDICT, "ledger")),
    # A verb of beyond_kernel.figures shows a figure also where the metadata are missing, or by way of a name.
    *[
        (
            {"figure_caption", "figure_name", "figure_alt"},
            all_of(unfold(FIGURE), take("metadata.mystnb", cell=FIGURE), put("source", source, cell=FIGURE)),
        )
        for source in ("curves(errors)", "shown = curves(errors)\nshown")
    ],
]


def rules_of(faults):
    return {fault.partition(":")[0] for fault in faults}


def test_good_chapter_passes():
    assert check_chapter(read_notebook(GOOD_CHAPTER), PROFILE) == []


@pytest.mark.parametrize(("rule", "mutation"), CASES, ids=NAMES)
def test_broken_chapter_is_rejected_by_its_rule_alone(rule, mutation):
    notebook = broken(mutation, recounted=rule != "code_counted")
    assert rules_of(check_chapter(notebook, PROFILES.get(rule, PROFILE))) == {rule}


def test_each_rule_has_a_mutation_and_each_mutation_a_rule():
    assert set(MUTATIONS) == set(RULES) and all(MUTATIONS.values())


@pytest.mark.parametrize(("rules", "mutation"), TOGETHER, ids=["-".join(sorted(rules)) for rules, _ in TOGETHER])
def test_faults_that_come_together_are_all_named(rules, mutation):
    assert rules_of(check_chapter(broken(mutation), PROFILE)) == rules


SOUND = [
    r"$$\begin{aligned} a &= b \\ &= c \\\alpha \end{aligned}$$",
    r"$\begin{cases} 1 & x > 0 \\[1ex] 0 \end{cases}$",
    "$$\n\\begin{pmatrix} a \\\\\nb \\end{pmatrix}\n$$",
    r"$1/\sqrt d$",
]


@pytest.mark.parametrize("text", SOUND)
def test_a_line_break_in_an_environment_is_no_fault(text):
    assert check_chapter(broken(insert_text(text, after=DRAWS)), PROFILE) == []


@pytest.mark.parametrize("tag", ["hide-input", "hide-cell"])
def test_a_folded_cell_and_a_solution_count_as_folded(tag):
    folded = broken(fold("Draws of the numbers", cell=DRAWS))
    folded["cells"][index_of(folded, DRAWS)]["metadata"]["tags"] = [tag]
    assert count(folded["cells"]) == Count(0, 52)
    assert count(broken(insert_code("1\n\n2", after="start} ex-average-1"))["cells"]) == Count(7, 47)


def test_the_count_is_written_behind_the_time_and_replaced_later():
    head = "# T\n\n**Time** long,\nvery long\n\nMore."
    once = with_count(head, Count(8, 20))
    assert once == "# T\n\n**Time** long,\nvery long\n\n**Code** about 8 lines in view, 20 folded\n\nMore."
    assert with_count(once, Count(9, 21)) == once.replace("8", "9").replace("20", "21")
    assert stated(once) == Count(8, 20) and stated(head) is None


def test_the_command_counts_writes_and_says_where_a_head_is_wrong(tmp_path, capsys):
    book = Repository(tmp_path)
    book.chapter("part/idea", "x = 1\n\ny = 2", "z = 3")
    path = tmp_path / "chapters/part/idea.ipynb"
    path.write_text(path.read_text().replace("# On idea", "# On idea\\n\\n**Time** 1 s"))
    assert count_lines.main([], tmp_path) == 1
    assert capsys.readouterr().out == "part/idea: 5 lines in view, 0 folded; its head says nothing\n"
    assert count_lines.main(["--write", "idea"], tmp_path) == 0
    written = path.read_text()
    assert stated(read_notebook(path)["cells"][0]["source"]) == Count(5, 0)
    assert count_lines.main(["--write"], tmp_path) == 0 and path.read_text() == written
    assert count_lines.main(["ide"], tmp_path) == 1
    assert "no chapter 'ide' (did you mean 'idea'?)" in capsys.readouterr().err


def test_a_parameter_that_only_the_profile_sets_is_a_fault():
    (fault,) = check_chapter(read_notebook(GOOD_CHAPTER), PROFILE | {"k"})
    assert fault.startswith("parameters_match_profile: the chapter: the parameter `k` is not declared")


def test_a_fault_names_the_cell_and_what_is_wrong():
    (fault,) = check_chapter(broken(put("execution_count", 3, cell=DRAWS)), PROFILE)
    assert fault == "no_execution_counts: cell 6: strip the execution count (3)."


@pytest.mark.parametrize(
    ("mutation", "fault"),
    [
        (replace("no such text", "another"), "'no such text' must stand once in the notebook; it stands there 0 times"),
        (
            replace("draws[seed]", "draws[0]"),
            "'draws\\[seed\\]' must stand once in the notebook; it stands there 4 times",
        ),
        (drop("no such cell"), "stands there 0 times"),
        (move(DRAWS, after="no such cell"), "stands there 0 times"),
        (insert_code("errors", after="no such cell"), "stands there 0 times"),
        (put("metadata.tags", [], cell="no such cell"), "stands there 0 times"),
        (take("metadata.tags", cell=DRAWS), "tags"),
        (put("metadata.tags", ["remove-input"], cell="ledger.emit()"), "leaves the good chapter as it is"),
        (replace(DRAWS, DRAWS), "leaves the good chapter as it is"),
        (all_of(), "leaves the good chapter as it is"),
    ],
)
def test_a_mutation_that_changes_nothing_is_an_error(mutation, fault):
    with pytest.raises((ValueError, KeyError), match=fault):
        broken(mutation)
