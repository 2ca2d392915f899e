"""A reader's learner beside the package's in one dataset; a new or a changed learner runs its own cells alone."""

import functools
import importlib
import itertools
import math
import os
import sys

import numpy as np
import pytest
import torch
import xarray
from scipy import stats

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.one_step import fit_one_step
from beyond_kernel.foundations.learning.comparison import compare_learners, mean_interval, paired_ratio
from beyond_kernel.foundations.learning.learners import label_of, labelled, risk_of
from beyond_kernel.foundations.learning.learning_cells import learner_risk_cell
from beyond_kernel.foundations.learning.samples import draw_problem
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for
from beyond_kernel.sweeps.store import Store

COMMON = {"target": "He2(z1)", "d": 5, "noise": 0.1, "n_test": 60, "workers": 0}
GRID = {"n": [40, 20], "seed": [0, 1]}
ONE_STEP = functools.partial(fit_one_step, width=10)


def readers_own():
    """Return two learners that the package has never heard of, made here as a script or a notebook makes them.

    As functions of this module they could not be run: pytest compiles it otherwise than its file says.
    """

    @labelled("nearest neighbour")
    def fit_nearest(problem, generator):
        train = problem.train

        def predict(X):
            distances = torch.cdist(X, train.X)
            return train.y[distances.argmin(1)]

        return predict

    def fit_zero(problem, generator):
        return lambda X: torch.zeros_like(X[:, 0])

    return fit_nearest, fit_zero


fit_nearest, fit_zero = readers_own()


def test_a_reader_s_learner_stands_beside_the_package_s():
    data = compare_learners([fit_nearest, ONE_STEP], GRID, **COMMON)
    assert data.learner.values.tolist() == ["nearest neighbour", "one step"]
    assert data.risk.dims == ("learner", "n", "seed") and data.n.values.tolist() == [40, 20]
    truth = parse_target("He2(z1)", 5, 1).normalised()
    problem = draw_problem(truth, 20, 0.1, 1, n_test=60)
    for learner in (fit_nearest, ONE_STEP):
        expected = risk_of(learner, problem, generator_for(1, label_of(learner)))
        found = data.sel(learner=label_of(learner), n=20, seed=1)
        assert float(found.risk) == expected.value and float(found.standard_error) == expected.standard_error


def test_above_its_largest_size_a_learner_is_not_run():
    sizes = {"n": [40, 20, 30], "seed": [0]}
    data = compare_learners([fit_zero, fit_nearest], sizes, largest={"nearest neighbour": 30}, **COMMON)
    assert data.n.values.tolist() == [40, 20, 30]
    assert np.isnan(data.risk.sel(learner="nearest neighbour", n=40)).all()
    assert np.isfinite(data.risk.sel(learner="nearest neighbour", n=[20, 30])).all()
    assert np.isfinite(data.risk.sel(learner="fit zero")).all()
    data = compare_learners([fit_nearest, fit_zero], sizes, largest={"nearest neighbour": 3}, **COMMON)
    assert np.isnan(data.risk.sel(learner="nearest neighbour")).all()
    assert np.isfinite(data.risk.sel(learner="fit zero")).all() and data.n.values.tolist() == [40, 20, 30]


def seen_by(learners, **options):
    """Run the cell with learners that keep what they are given."""
    kept = {}
    for label in learners:

        @labelled(label)
        def keep(problem, generator, label=label):
            kept[label] = problem, generator.initial_seed()
            return lambda X: X[:, 0]

        learner_risk_cell(keep, "He2(z1)", 5, 20, 0.1, n_test=8, seed=3, **options)
    return kept


def test_all_learners_see_the_same_problem_and_draw_from_streams_of_their_own():
    kept = seen_by(["first", "second"])
    (one, stream), (two, other) = kept["first"], kept["second"]
    for role, size in (("train", 20), ("test", 8)):
        first, second = getattr(one, role), getattr(two, role)
        assert torch.equal(first.X, second.X) and torch.equal(first.y, second.y) and len(first) == size
        assert first.X.dtype == torch.float64
    assert stream == generator_for(3, "first").initial_seed() != other
    assert one.task.variance == pytest.approx(1)  # He2 alone would have 2


def test_precision_and_law_reach_the_problem():
    problem, _ = seen_by(["a"], precision="float32", law="sphere")["a"]
    assert problem.train.X.dtype == problem.test.y.dtype == torch.float32
    assert torch.allclose(problem.train.X.norm(dim=1), torch.full((20,), 5**0.5))
    with pytest.raises(BadParameter, match="precision = 'float16' is not known: it must be one of float64, float32"):
        seen_by(["a"], precision="float16")


def counting(log, name):
    """Return a learner that writes a line to a file each time it is trained."""

    @labelled(name)
    def learner(problem, generator):
        with open(log, "a") as file:
            file.write(f"{name}\n")
        return lambda X: X[:, 0]

    return learner


def lines(log):
    read = log.read_text().split() if log.exists() else []
    return {name: read.count(name) for name in sorted(set(read))}


def test_a_new_learner_makes_no_stored_cell_stale(tmp_path):
    log, store = tmp_path / "log", tmp_path / "cells.sqlite"
    learners = [counting(str(log), name) for name in ("first", "second", "third")]
    two = compare_learners(learners[:2], GRID, store=store, **COMMON)
    assert lines(log) == {"first": 4, "second": 4}
    three = compare_learners([learners[2], *learners[:2]], GRID, store=store, **COMMON)
    assert lines(log) == {"first": 4, "second": 4, "third": 4}
    assert three.sel(learner=["first", "second"]).risk.equals(two.risk)
    with Store(store) as kept:
        assert sum(cells for _, status, cells, _ in kept.counts() if status == "done") == 12
    compare_learners(learners, GRID | {"n": [40, 20, 10]}, store=store, **COMMON)
    assert lines(log) == {"first": 6, "second": 6, "third": 6}


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Return a function that writes two learners, each in a module of its own, and imports them anew."""
    monkeypatch.syspath_prepend(tmp_path)
    moments = itertools.count(10**18, 10**9)
    names = ("learner_one", "learner_two")

    def write(log, factors):
        for name, factor in zip(names, factors, strict=True):
            path = tmp_path / f"{name}.py"
            path.write_text(
                f"def {name}(problem, generator):\n    with open({str(log)!r}, 'a') as file:\n"
                f"        file.write('{name}\\n')\n    return lambda X: {factor} * X[:, 0]\n"
            )
            moment = next(moments)
            os.utime(path, ns=(moment, moment))
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        return [getattr(importlib.import_module(name), name) for name in names]

    yield write
    for name in names:
        sys.modules.pop(name, None)


def test_a_changed_learner_runs_its_own_cells_again_and_no_others(modules, tmp_path):
    log, store = tmp_path / "log", tmp_path / "cells.sqlite"
    before = compare_learners(modules(log, (1, 2)), GRID, store=store, **COMMON)
    compare_learners(modules(log, (1, 2)), GRID, store=store, **COMMON)
    assert lines(log) == {"learner_one": 4, "learner_two": 4}
    after = compare_learners(modules(log, (1, 3)), GRID, store=store, **COMMON)
    assert lines(log) == {"learner_one": 4, "learner_two": 8}
    assert (before.risk != after.risk).any(("n", "seed")).values.tolist() == [False, True]


def test_another_option_of_a_learner_is_another_cell(tmp_path):
    log, store = tmp_path / "log", tmp_path / "cells.sqlite"
    path = str(log)

    @labelled("scaled")
    def scaled(problem, generator, factor):
        with open(path, "a") as file:
            file.write("scaled\n")
        return lambda X: factor * X[:, 0]

    for factor, runs in ((1.0, 4), (2.0, 8), (1.0, 8)):
        compare_learners([functools.partial(scaled, factor=factor)], GRID, store=store, **COMMON)
        assert lines(log) == {"scaled": runs}


@pytest.mark.parametrize(
    ("learners", "change", "told"),
    [
        ([ONE_STEP, functools.partial(fit_one_step, width=20)], {}, r"'one step'\]: each needs a label of its own"),
        ([fit_zero], {"largest": {"zero": 5}}, "largest names 'zero': it must be one of fit zero"),
        ([fit_zero], {"largest": {"fit zero": 5}}, r"largest = \{'fit zero': 5\} leaves no n of \[40, 20\] for any"),
        ([fit_zero], {"grid": {"seed": [0]}}, "grid has the dimensions seed: n must be one of them"),
        ([], {}, "learners is empty: give one at least"),
    ],
)
def test_what_cannot_be_compared_is_told_in_a_sentence(learners, change, told):
    call = {"grid": GRID} | change
    with pytest.raises(BadParameter, match=told):
        compare_learners(learners, **call, **COMMON)


def table(rows):
    return xarray.DataArray(rows, {"learner": ["one", "two"], "seed": range(len(rows[0]))}, ["learner", "seed"])


def test_what_the_draw_does_to_both_drops_out_of_a_paired_ratio():
    luck = np.array([0.01, 1.0, 30.0, 0.2, 5.0])
    same = paired_ratio(table([3 * luck, luck]), "one", "two")
    assert (same.value, same.low, same.high) == pytest.approx((3, 3, 3))
    assert paired_ratio(table([3 * luck, luck]), "two", "one").value == pytest.approx(1 / 3)


def test_interval_of_a_paired_ratio_is_student_s_for_the_mean_logarithm():
    first, second = np.array([0.5, 0.9, 0.2, 0.7]), np.array([0.25, 0.3, 0.2, 0.1])
    found = paired_ratio(table([first, second]), "one", "two")
    test = stats.ttest_rel(np.log(first), np.log(second)).confidence_interval(0.95)
    assert found.value == pytest.approx(stats.gmean(first / second))  # not the mean, nor the median
    assert (found.low, found.high) == pytest.approx((np.exp(test.low), np.exp(test.high)))
    assert found.ratios == pytest.approx(tuple(first / second))


def test_one_seed_has_a_ratio_and_no_interval():
    found = paired_ratio(table([[2.0], [1.0]]), "one", "two")
    assert found.value == 2 and np.isnan(found.low) and str(found) == "2.00 (one seed)"


@pytest.mark.parametrize(
    ("rows", "labels", "told"),
    [
        ([[1.0, 2.0], [1.0, 2.0]], ("one", "three"), "risks has no learner 'three': it has one, two"),
        ([[1.0, 0.0], [1.0, 2.0]], ("one", "two"), "must all be above 0"),
        ([[1.0, np.nan], [1.0, 2.0]], ("one", "two"), "must all be above 0"),
    ],
)
def test_a_ratio_that_does_not_exist_is_told(rows, labels, told):
    with pytest.raises(BadParameter, match=told):
        paired_ratio(table(rows), *labels)
    with pytest.raises(BadParameter, match="risks has the dimensions learner, seed, n: learner and seed are wanted"):
        paired_ratio(table(rows).expand_dims(n=[5], axis=2), "one", "two")


def test_interval_of_a_mean_is_that_of_students_test():
    values = xarray.DataArray([0.3, -0.1, 0.4, 0.0, 0.2], dims="seed")
    value, low, high = mean_interval(values)
    assert value == pytest.approx(0.16)
    for end in (low, high):  # at the ends of the interval the test gives exactly 5 %
        assert stats.ttest_1samp(values, end).pvalue == pytest.approx(0.05)


def test_interval_of_one_seed_and_of_none():
    one = mean_interval(xarray.DataArray([0.3, math.nan], dims="seed"))
    assert one.value == pytest.approx(0.3) and math.isnan(one.low) and math.isnan(one.high)
    assert math.isnan(mean_interval(xarray.DataArray([math.nan], dims="seed")).value)
    with pytest.raises(BadParameter, match="seed is wanted"):
        mean_interval(xarray.DataArray([0.3], dims="d"))
