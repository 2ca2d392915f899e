"""The cells of chapter recursive_features: the same numbers by other ways, and cases whose answer is known."""

import functools
import math

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.escaping_the_kernel import recursive_features_cells as cells
from beyond_kernel.escaping_the_kernel.recursive_features import fit_recursive_features
from beyond_kernel.feature_learning.one_step import fit_one_step
from beyond_kernel.feature_learning.trained_network import fit_trained_network
from beyond_kernel.foundations.learning.learners import risk_of
from beyond_kernel.foundations.learning.measures import Estimate
from beyond_kernel.foundations.learning.samples import draw_problem
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.kernel_regime.kernel_learners import fit_gaussian_kernel
from beyond_kernel.random_streams import generator_for

TWO = "(h2(z1) - h2(z2) + h2(z1)*h2(z2) + h3(z1))/2"
NOTHING = generator_for(0, "not used")


def problem_of(text: str, d: int, n: int, seed: int):
    return draw_problem(parse_target(text, d, seed).normalised(), n, 0.1, seed)


def test_rounds_begin_with_the_gaussian_kernel_and_the_best_is_the_learner():
    cell = cells.rounds_cell(TWO, 8, 200, 0.1, seed=1)
    problem = problem_of(TWO, 8, 200, 1)
    assert cell["risks"][0] == pytest.approx(risk_of(fit_gaussian_kernel, problem, NOTHING).value)
    assert cell["risk"] == pytest.approx(risk_of(fit_recursive_features, problem, NOTHING).value)
    assert cell["risk"] == cell["risks"][cell["left_out"].argmin()]
    assert cell["shares"][0] == pytest.approx(2 / 8) and cell["share"] == cell["shares"][cell["left_out"].argmin()]
    assert all(len(cell[name]) == 4 for name in ("risks", "left_out", "shares", "lengths"))
    assert set(cell["lengths"].round(6)) <= {0.5, 1.0, 2.0}


def test_tail_is_the_part_of_the_risk_at_the_points_farthest_out():
    cell = cells.rounds_cell("h3(z1) + z2", 6, 60, 0.1, rounds=0, seed=0)
    problem = problem_of("h3(z1) + z2", 6, 60, 0)
    model = fit_gaussian_kernel(problem, NOTHING)
    squares = (model(problem.test.X) - problem.test.truth).square().numpy()
    far = np.linalg.norm((problem.test.X @ problem.task.directions).numpy(), axis=1)
    expected = squares[far >= np.sort(far)[-100]].sum() / squares.sum()  # a hundredth of 10,000 points
    assert cell["tail"] == pytest.approx(expected)


def test_the_round_is_chosen_by_its_left_out_error_alone(monkeypatch):
    """From few samples of a heavy-tailed target each round believes itself better and is worse."""
    case = ("(h2(z1) + h4(z1))/sqrt(2)", 12, 36, 0.1)
    cell = cells.rounds_cell(*case, seed=0)
    assert cell["left_out"].argmin() == 3 and cell["risks"].argmin() == 0
    assert cell["risk"] == cell["risks"][3]
    whole = cells.recursive_rounds
    monkeypatch.setattr(cells, "recursive_rounds", lambda *args: whole(*args)[::-1])
    backwards = cells.rounds_cell(*case, seed=0)
    assert backwards["left_out"].argmin() == 0 and backwards["risk"] == backwards["risks"][0] == cell["risk"]


def test_a_constant_predictor_keeps_its_round(monkeypatch):
    whole = cells.recursive_rounds
    monkeypatch.setattr(cells, "recursive_rounds", lambda *args: whole(*args)[:1])
    cell = cells.rounds_cell("z1*z2", 5, 60, 0.1, rounds=3, seed=0)
    assert len(set(cell["risks"])) == 1 and len(cell["risks"]) == 4


def test_the_choice_by_generalised_cross_validation_is_another_and_fails_on_a_learnt_metric():
    rules = [cells.rounds_cell(TWO, 12, 288, 0.1, choice=choice, seed=0) for choice in cells.CHOICES]
    assert rules[1]["left_out"][3] != rules[0]["left_out"][3]
    with pytest.raises(BadParameter, match="choice = 'aic'"):
        cells.rounds_cell(TWO, 8, 50, 0.1, choice="aic", seed=0)


def test_lengths_are_chosen_among_the_scales_given():
    cell = cells.rounds_cell("z1*z2", 6, 80, 0.1, rounds=1, scales=(3.0,), seed=0)
    assert cell["lengths"] == pytest.approx([3.0, 3.0])


def test_learnt_metrics_lie_in_the_plane_and_one_step_misses_an_odd_direction():
    learners = functools.partial(fit_one_step, width=60), functools.partial(fit_trained_network, width=60)
    cell = cells.metrics_cell(*learners, "h3(z1)", 10, 400, 0.1, seed=0)
    for name in ("recursive", "first", "second", "gradient"):
        assert cell[name].sum() == pytest.approx(10) and (np.diff(cell[name]) <= 1e-9).all()
    recursive, step, network, gradient = cell["shares"]
    assert recursive > 0.98 > gradient > network > step  # the network keeps a part of its start, its gradient does not
    assert cell["to_target"] > 0.99 and cell["to_second"] > cell["to_first"]
    assert cell["ansatz"] > 0.8 and cell["risks"][0] < cell["risks"][1]


def test_correlations_of_a_cell_are_those_of_the_metrics_that_its_learners_find():
    """Two directions that the target uses unequally, so that its own metric is not the projection on their plane."""
    text, learner = "(h2(z1) + z2)/sqrt(2)", functools.partial(fit_one_step, width=40)
    cell = cells.metrics_cell(learner, learner, text, 6, 150, 0.1, seed=0)
    problem = problem_of(text, 6, 150, 0)
    found = fit_recursive_features(problem, NOTHING).kernel.keywords["metric"].numpy()
    W = learner(problem, generator_for(0, "one step")).network.W.numpy()
    U = problem.task.directions.numpy()
    own = U @ np.diag([4 / 4, 1 / 2]) @ U.T  # gradients z1 u1 and u2 / sqrt 2: mean squares 1 and 1/2

    def correlation(A, B):
        A, B = (M - np.trace(M) / 6 * np.eye(6) for M in (A, B))
        return (A * B).sum() / np.linalg.norm(A) / np.linalg.norm(B)

    assert cell["to_first"] == cell["to_second"] == pytest.approx(correlation(found, W.T @ W))
    assert cell["to_target"] == pytest.approx(correlation(found, own), abs=0.01)  # the cell averages over test points
    assert cell["shares"][1] == pytest.approx(np.trace(U.T @ W.T @ W @ U) / np.trace(W.T @ W))
    assert cell["risks"][0] == pytest.approx(risk_of(fit_recursive_features, problem, NOTHING).value)
    assert cell["risks"][1] == pytest.approx(risk_of(learner, problem, generator_for(0, "one step")).value)


def test_a_polynomial_head_in_the_learnt_metric_is_kernel_ridge_regression():
    """For a polynomial of its degree and enough samples it is better than the Gaussian head."""
    cell = cells.head_cell("z1*z2", 8, 256, 0.1, degree=2, seed=0)
    assert cell["gaussian"] == pytest.approx(
        risk_of(fit_recursive_features, problem_of("z1*z2", 8, 256, 0), NOTHING).value
    )
    assert cell["polynomial"] < 0.8 * cell["gaussian"]
    assert cells.head_cell("z1*z2", 8, 256, 0.1, degree=1, seed=0)["polynomial"] > 0.9  # a plane learns no product


@pytest.mark.parametrize("growth", [2.0, 2**0.5])
def test_samples_needed_are_found_where_the_risk_is_known(monkeypatch, growth):
    """With a risk of 40 / n the level 1/4 is reached at n = 160, a size of both grids that start at 4 d = 40."""
    seen, options = [], []

    def known(learner, problem, generator):
        seen.append(len(problem.train))
        options.append(learner.keywords)
        return Estimate(40 / len(problem.train), 0.0)

    monkeypatch.setattr(cells, "risk_of", known)
    found = functools.partial(cells.samples_needed_cell, "z1", 10, 0.25, 0.1, start=4.0, growth=growth, seed=0)
    assert found()["needed"] == pytest.approx(160, rel=0.01)
    assert seen[0] == 40 and seen[-1] in (160, 159) and len(seen) == round(math.log(4, growth)) + 1
    assert options[0] == {"rounds": 3, "scales": (1.0,)}
    assert found(rounds=0, scales=(2.0,))["needed"] == pytest.approx(160, rel=0.01)
    assert options[-1] == {"rounds": 0, "scales": (2.0,)}
    assert math.isnan(found(n_max=100)["needed"]) and math.isnan(found(n_max=30)["needed"])


def test_samples_needed_of_a_real_run():
    """The size found is one at which the risk is near the level, in single precision as in double."""
    needed = cells.samples_needed_cell(TWO, 8, 0.25, 0.1, seed=0)["needed"]
    around = [risk_of(fit_recursive_features, problem_of(TWO, 8, int(c * needed), 0), NOTHING).value for c in (0.4, 2)]
    assert around[0] > 0.25 > around[1]
    with pytest.raises(BadParameter, match="growth = 1"):
        cells.samples_needed_cell(TWO, 8, 0.25, 0.1, growth=1.0, seed=0)


def test_cells_are_pure_functions_of_their_seed():
    first, again, other = (cells.rounds_cell("z1*z2", 5, 60, 0.1, rounds=1, seed=seed)["risk"] for seed in (3, 3, 4))
    assert first == again != other
    assert torch.initial_seed() == torch.initial_seed()


def test_modular_addition_is_fitted_from_the_start_and_learnt_later(monkeypatch):
    """Small enough for a test: at p = 17 and three quarters of the pairs the test pairs come within 15 rounds."""
    cell = cells.modular_cell(17, 0.75, 15, seed=0)
    assert cell["train_loss"].max() < 1e-10 and cell["train_accuracy"].min() == 1.0
    assert len(cell["test_accuracy"]) == 16
    assert cell["test_accuracy"][0] < 0.2 and cell["test_accuracy"][-1] > 0.7
    assert cell["circulant"] > 0.8
    monkeypatch.setattr(cells, "circulant_share", lambda block: float(block.diagonal().mean()))
    assert cells.modular_cell(17, 0.75, 15, seed=0)["circulant"] < 0.2  # that of a with a holds the large diagonal
    with pytest.raises(BadParameter, match="share = 1 leaves 25 pairs to train and 0 to test"):
        cells.modular_cell(5, 1.0, seed=0)
