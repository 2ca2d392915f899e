"""The rules of chapters can fail: each has mutations of the good chapter that break it, and nothing else."""

import pytest
from chapter_cells import read_notebook
from chapter_mutations import DRAWS, GOOD_CHAPTER, MUTATIONS, TOGETHER, broken
from chapter_rules import RULES, check_chapter
from notebook_changes import all_of, drop, insert_code, move, put, replace, take

PROFILE = {"n", "seed", "n_seeds"}
PROFILES = {"parameters_have_seeds": {"n", "seed"}}
CASES = [(rule, mutation) for rule, mutations in MUTATIONS.items() for mutation in mutations]
NAMES = [f"{rule}-{number}" for rule, mutations in MUTATIONS.items() for number in range(len(mutations))]


def rules_of(faults):
    return {fault.partition(":")[0] for fault in faults}


def test_good_chapter_passes():
    assert check_chapter(read_notebook(GOOD_CHAPTER), PROFILE) == []


@pytest.mark.parametrize(("rule", "mutation"), CASES, ids=NAMES)
def test_broken_chapter_is_rejected_by_its_rule_alone(rule, mutation):
    assert rules_of(check_chapter(broken(mutation), PROFILES.get(rule, PROFILE))) == {rule}


def test_each_rule_has_a_mutation_and_each_mutation_a_rule():
    assert set(MUTATIONS) == set(RULES) and all(MUTATIONS.values())


@pytest.mark.parametrize(("rules", "mutation"), TOGETHER, ids=["-".join(sorted(rules)) for rules, _ in TOGETHER])
def test_faults_that_come_together_are_all_named(rules, mutation):
    assert rules_of(check_chapter(broken(mutation), PROFILE)) == rules


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
        (put("metadata.tags", ["remove-cell"], cell="ledger.emit()"), "leaves the good chapter as it is"),
        (replace(DRAWS, DRAWS), "leaves the good chapter as it is"),
        (all_of(), "leaves the good chapter as it is"),
    ],
)
def test_a_mutation_that_changes_nothing_is_an_error(mutation, fault):
    with pytest.raises((ValueError, KeyError), match=fault):
        broken(mutation)
