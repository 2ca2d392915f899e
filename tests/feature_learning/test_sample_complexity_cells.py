"""The cells behind the chapter's figures, in cases with a known answer, and against numpy."""

import functools
import math

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning import sample_complexity_cells as cells
from beyond_kernel.feature_learning.one_step import fit_one_step
from beyond_kernel.foundations.learning.learners import risk_of
from beyond_kernel.foundations.learning.networks import symmetric_init
from beyond_kernel.foundations.learning.sample_search import search_samples
from beyond_kernel.foundations.learning.samples import Problem, Sample, draw_problem, draw_sample
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for

TWO = "(h2(z1) - h2(z2) + h2(z1)*h2(z2) + h3(z1))/2"


def known(problem, generator, seen=None):
    """Predict (1 - s) f* with s^2 = 40 / n: the risk is 40 / n up to the draw of the test points."""
    if seen is not None:
        seen.append((len(problem.train), problem.train.X.dtype, float(problem.train.y.square().mean())))
    shrunk = 1 - math.sqrt(40 / len(problem.train))
    return lambda X: shrunk * problem.task(X)


def test_a_known_risk_gives_a_known_number_of_samples():
    seen = []
    learner = functools.partial(known, seen=seen)
    cell = cells.needed_cell(learner, "z1", 10, [0.5, 0.25], 0.1, growth=2.0, seed=0)
    assert cell["needed"] == pytest.approx([80, 160], rel=0.08)  # the mean square of 4,000 points is 1 up to 0.02
    assert seen[0][:2] == (20, torch.float32) and [n for n, _, _ in seen[:3]] == [20, 40, 80]
    scaled = []
    cells.needed_cell(functools.partial(known, seen=scaled), "3*z1", 10, [0.02], 0.1, growth=4.0, seed=0)
    assert scaled[-1][2] == pytest.approx(1.01, abs=0.12)  # of 1,280 points: mean square one, plus noise
    squared = cells.needed_cell(learner, "z1", 10, [0.5], 0.1, start=0.5, order=2.0, growth=2.0, seed=0)
    assert squared["needed"] == pytest.approx([80], rel=0.08)
    assert math.isnan(cells.needed_cell(learner, "z1", 10, [0.25], 0.1, n_max=100, seed=0)["needed"][0])
    with pytest.raises(BadParameter, match="order"):
        cells.needed_cell(learner, "z1", 10, [0.25], 0.1, order="two", seed=0)


def test_the_size_found_is_one_at_which_the_risk_is_near_the_threshold_in_double_precision():
    learner = functools.partial(fit_one_step, width=200, scales=(1.0,))
    needed = cells.needed_cell(learner, TWO, 8, [0.5], 0.1, start=0.5, order=2.0, seed=3)["needed"][0]
    truth = parse_target(TWO, 8, 3).normalised()
    around = [
        np.mean([risk_of(learner, draw_problem(truth, int(c * needed), 0.1, seed), generator_for(seed)).value
                 for seed in range(4)])
        for c in (0.4, 3)
    ]  # fmt: skip
    assert around[0] > 0.5 > around[1]


def numpy_missing(n: int, d: int, seed: int, part: int) -> float:
    """Return one less the overlap after one step, the gradient written out in numpy on the draws of the cell.

    Part 0 is the mean over neurons, part 1 that of the top singular vectors with the hidden plane.
    """
    truth = parse_target(TWO, d, seed).normalised()
    sample = draw_sample(truth, n, 0.1, generator_for(seed, "directions", n, d), dtype=torch.float32)
    drawn = symmetric_init(300, d, generator_for(seed, "directions weights", n, d), torch.float32)
    X, y, U = sample.X.double().numpy(), sample.y.double().numpy(), truth.directions.numpy()
    y = y - y.mean() - X @ (X.T @ y / n)
    W = ((X @ drawn.W.double().numpy()[:150].T >= 0).T * y) @ X / n
    single = np.mean(np.square(W @ U).sum(1) / np.square(W).sum(1))
    top = np.linalg.svd(W)[2][: U.shape[1]]
    return 1 - (single, np.square(top @ U).sum() / U.shape[1])[part]


@pytest.mark.parametrize("seed", range(3))
def test_both_overlaps_cross_the_level_where_the_cell_says(seed):
    d, level = 12, 0.7
    found = cells.directions_cell(TWO, d, level, 300, 0.1, seed=seed)
    for part, name in enumerate(("single", "together")):
        search = search_samples(
            functools.partial(numpy_missing, d=d, seed=seed, part=part), [1 - level], 2.0 * d, n_max=100_000
        )
        assert found[name] == pytest.approx(search.needed(1 - level), rel=1e-3), name
    assert found["together"] < found["single"]
    assert math.isnan(cells.directions_cell(TWO, d, level, 300, 0.1, n_max=100, seed=seed)["single"])


def test_the_head_gets_the_samples_that_it_is_said_to_get():
    d, n, seed = 8, 128, 1
    cell = cells.head_sample_cell(TWO, d, 2.0, 100, 0.1, seed=seed)
    truth = parse_target(TWO, d, seed).normalised()
    problem = draw_problem(truth, 2 * n, 0.1, seed, dtype=torch.float32)
    first = Problem(Sample(problem.train.X[:n], problem.train.y[:n]), problem.test, truth)
    learner = functools.partial(fit_one_step, width=100)
    assert cell["same"] == pytest.approx(risk_of(learner, first, generator_for(seed, "one step", 100)).value)
    assert len({round(value, 6) for value in cell.values()}) == 3


def test_labels_of_the_step_do_not_reach_a_head_on_other_samples(monkeypatch):
    seen = {"step": [], "head": []}
    step, head = cells.one_step_features, cells.fit_head
    monkeypatch.setattr(cells, "one_step_features", lambda s, *rest: seen["step"].append(s.y) or step(s, *rest))
    monkeypatch.setattr(cells, "fit_head", lambda s, *rest: seen["head"].append(s.y) or head(s, *rest))
    cells.head_sample_cell("z1*z2 + z1", 6, 1.0, 40, 0.1, seed=0)
    sizes = [(len(a), len(b)) for a, b in zip(seen["step"], seen["head"], strict=True)]
    assert sizes == [(36, 36), (18, 18), (36, 36)]
    same = [bool(torch.isin(a, b).any()) for a, b in zip(seen["step"], seen["head"], strict=True)]
    assert same == [True, False, False]


def test_cells_are_pure_functions_of_their_seed():
    run = functools.partial(cells.head_sample_cell, TWO, 6, 1.0, 40, 0.1)
    assert run(seed=3) == run(seed=3) != run(seed=4)
