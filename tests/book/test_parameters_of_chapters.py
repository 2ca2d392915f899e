"""A chapter refuses a misspelt or impossible parameter in its first cells, with one sentence."""

import ast
import sys

import nbformat
import pytest
from chapter_cells import Chapter, chapter_names, chapter_path, full_profile, read_notebook
from chapter_runs import run_with_limit
from good_chapter import GOOD_CHAPTER
from one_kernel import TIME_LIMIT, OneKernel

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
LONGEST_SENTENCE = 400
BAD_VALUES = {
    "n_seeds": [{"n_seeds": "0"}],
    "d": [{"d": "-3"}],
    "target": [{"target": "__import__('os')"}, {"target": "He2(z1"}, {"target": "z9", "d": "5"}],
}


def declared(name):
    """Return the parameters of a chapter with their quick values; nothing where there is no chapter yet."""
    if not chapter_path(name).is_file():
        return {}
    parameters = Chapter(read_notebook(chapter_path(name))).parameters
    return {key: ast.literal_eval(node.value) for key, node in parameters.items()}


def misspelt(names):
    """Return a name with its last two letters exchanged (``widht``), and the name that was meant."""
    meant = "width" if "width" in names else max(names, key=len, default="seeds")
    return meant[:-2] + meant[-1] + meant[-2], meant


def bad_cases():
    """Yield for each chapter a misspelt name and one bad value a parameter; chapters take the bad targets in turn."""
    for place, name in enumerate(chapter_names()):
        values = declared(name)
        wrong, meant = misspelt(values)
        yield pytest.param(name, {wrong: "3"}, (wrong, meant), id=f"{name}-{wrong}")
        for key in BAD_VALUES:
            cases = [given for given in BAD_VALUES[key] if set(given) <= set(values)]
            if cases:
                given = cases[place % len(cases)]
                yield pytest.param(name, given, (key, given[key]), id=f"{name}-{key}={given[key]}")


@pytest.mark.parametrize("name", chapter_names())
def test_full_profile_has_values_of_the_declared_types(name):
    chosen, quick = full_profile(name), declared(name)
    assert quick
    for key, value in quick.items():
        accepted = (int, float) if type(value) is float else (type(value),)
        assert type(chosen[key]) in accepted, f"{key} = {chosen[key]!r} in book/profiles.yml"


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """Return a kernel for all runs, each of which finds it as empty as a new one."""
    kernel = OneKernel(tmp_path_factory.mktemp("kernel"))
    yield kernel
    kernel.close()


@pytest.mark.parametrize(("name", "given", "mentioned"), list(bad_cases()))
def test_bad_parameter_ends_in_one_sentence(name, given, mentioned, tmp_path, kernel):
    status, written, chapter = executed(chapter_path(name), given, tmp_path, kernel)
    faults = sentence_faults(status, written, chapter, mentioned)
    assert not faults, "\n".join([*faults, written])


def test_papermill_in_a_process_of_its_own_ends_in_the_same_sentence(tmp_path, kernel):
    """The command of a reader, against a run in the kernel that all other tests share."""
    chapter, given = chapter_path("feature_learning/one_step"), {"target": "He2(z1"}
    options = [part for pair in given.items() for part in ("-p", *pair)]
    command = [sys.executable, "-m", "papermill", str(chapter), str(tmp_path / "out.ipynb"), *options]
    status, written = run_with_limit([*command, "--no-progress-bar"], tmp_path, TIME_LIMIT)
    alone = status, written, Chapter(read_notebook(tmp_path / "out.ipynb"))
    assert not sentence_faults(*alone, ("target", "He2(z1")), written
    shared = executed(chapter, given, tmp_path, kernel)
    last = [text.strip().splitlines()[-1] for text in (written, shared[1])]
    assert status == shared[0] == 1 and last[0] == last[1]


def test_a_run_without_end_is_stopped_and_the_next_one_goes_on(tmp_path, kernel):
    good = GOOD_CHAPTER.read_text(encoding="utf-8")
    changed = good.replace("n_seeds=whole_number", "n_seeds=lambda *given: __import__('time').sleep(60)")
    (tmp_path / "endless.ipynb").write_text(changed, encoding="utf-8")
    assert kernel.run(tmp_path / "endless.ipynb", tmp_path / "out.ipynb", {"n_seeds": 2}, limit=1)[0] == 124
    status, written, _ = executed(GOOD_CHAPTER, {"n_seeds": "0"}, tmp_path, kernel)
    assert status == 1 and "n_seeds" in written


def test_a_run_finds_nothing_of_the_one_before(tmp_path, kernel):
    for source, status in (("left = 7\nleft", 0), ("left", 1), ("Out[1]", 1)):
        cells = [nbformat.v4.new_code_cell(source)]
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=KERNEL), tmp_path / "cells.ipynb")
        assert kernel.run(tmp_path / "cells.ipynb", tmp_path / "out.ipynb", {})[0] == status, source


def executed(source, given, folder, kernel):
    """Run a notebook with parameters as the command takes them; return status, what was written, and the copy."""
    values = {key: int(text) if text.lstrip("-").isdigit() else text for key, text in given.items()}
    status, written = kernel.run(source, folder / "out.ipynb", values)
    return status, written, Chapter(read_notebook(folder / "out.ipynb"))


def sentence_faults(status, written, chapter, mentioned):
    """Return what is wrong with how a run ended that had to end in one sentence."""
    if status in (0, 124):
        return ["a cell went on without end" if status else "the value was accepted"]
    (cell, error), *_ = [(c, o) for c in chapter.code for o in c.outputs if o["output_type"] == "error"]
    sentence = error["evalue"]
    faults = [] if "check-parameters" in cell.tags else [f"it failed in cell {cell.number}, not in the check"]
    faults += [] if len(error["traceback"]) == 1 else ["a stack was shown"]
    faults += [f"{word!r} is not named" for word in mentioned if word not in sentence]
    if "\n" in sentence or not sentence.endswith((".", ")", "?")) or len(sentence) > LONGEST_SENTENCE:
        faults.append(f"this is no single sentence: {sentence!r}")
    if written.strip().splitlines()[-1] != f"{error['ename']}: {sentence}":
        faults.append("the sentence is not the last thing that the reader sees")
    return faults


@pytest.mark.parametrize(
    ("value", "check", "fault"),
    [
        ("0", "whole_number", None),
        ("2", "whole_number", "the value was accepted"),
        ("0", "lambda *given: 1 / 0", "a stack was shown"),
    ],
)
def test_a_check_that_does_not_speak_is_seen(value, check, fault, tmp_path, kernel):
    good = GOOD_CHAPTER.read_text(encoding="utf-8")
    assert "n_seeds=whole_number" in good
    changed = good.replace("n_seeds=whole_number", f"n_seeds={check}")
    (tmp_path / "chapter.ipynb").write_text(changed, encoding="utf-8")
    result = executed(tmp_path / "chapter.ipynb", {"n_seeds": value}, tmp_path, kernel)
    faults = sentence_faults(*result, ("n_seeds", "0"))
    assert (fault in faults) if fault else not faults, faults
