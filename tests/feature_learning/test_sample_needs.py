"""Searches side by side: which learner is run where, and what becomes of a run that did not get there."""

import functools
import math

import numpy as np
import pytest

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.sample_needs import Search, samples_needed, side_by_side
from beyond_kernel.foundations.learning.learners import labelled


def known_learners():
    """Return two learners that leave the risks d^2 / n and 10 / n; as functions of this module a sweep refuses them."""

    @labelled("one step")
    def quadratic(problem, generator):
        share = 1 - problem.train.X.shape[1] / math.sqrt(len(problem.train))
        return lambda X: share * problem.task(X)

    @labelled("oracle")
    def constant(problem, generator):
        share = 1 - math.sqrt(10 / len(problem.train))
        return lambda X: share * problem.task(X)

    return quadratic, constant


quadratic, constant = known_learners()


def run(searches, **options):
    options = {"target": "z1", "thresholds": [0.5, 0.25], "noise": 0.1, "workers": 0} | options
    return samples_needed(searches, range(2), **options)


def test_each_learner_is_searched_in_its_own_dimensions_from_its_own_start():
    found = run([
        Search(quadratic, dims=[6, 12], start=0.5, order=2.0, growth=2.0),
        Search(constant, dims=[6], growth=2.0, most_seeds=1),
    ])  # fmt: skip
    assert list(found) == ["one step", "oracle"]
    assert found["one step"].sizes == {"d": 2, "seed": 2, "risk": 2}
    assert found["one step"].sel(d=12, risk=0.25).values == pytest.approx([576, 576], rel=0.1)
    assert found["oracle"].sizes == {"d": 1, "seed": 1, "risk": 2}
    assert found["oracle"].sel(d=6, risk=0.5).values == pytest.approx([20], rel=0.1)
    together = side_by_side(found, 0.25)
    assert together.dims == ("learner", "d", "seed") and together.d.values.tolist() == [6, 12]
    assert np.isnan(together.sel(learner="oracle", d=12)).all()


def test_one_seed_that_did_not_get_there_takes_its_dimension_with_it():
    found = run([Search(quadratic, dims=[6, 12], start=0.5, order=2.0, growth=2.0, n_max=300)])
    assert (
        np.isnan(side_by_side(found, 0.25).sel(d=12)).all() and not np.isnan(side_by_side(found, 0.25).sel(d=6)).any()
    )
    half = {"one step": found["one step"].where((found["one step"].seed == 0) | (found["one step"].d == 6))}
    assert np.isnan(side_by_side(half, 0.5).sel(d=12)).all()


def test_labels_must_differ():
    twice = [Search(quadratic, dims=[6]), Search(functools.partial(quadratic), dims=[8])]
    for searches in ([], twice):
        with pytest.raises(BadParameter, match="label of its own"):
            run(searches)
