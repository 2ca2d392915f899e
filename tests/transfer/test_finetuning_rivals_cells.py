"""Doubts what a rank-one update is held against: times, floors and risks that were worked out or computed anew."""

import math

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.information_exponent import plan_search
from beyond_kernel.feature_learning.overlap_chain import hitting_steps, square_rule, start_overlaps
from beyond_kernel.foundations.learning.samples import draw_problem
from beyond_kernel.kernel_regime.kernel_learners import fit_gaussian_kernel
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.finetuning_rivals_cells import LINEAR, no_base_cell, rival_cell, turned_base_cell
from beyond_kernel.transfer.first_gradient import lazy_floor
from beyond_kernel.transfer.rank_one_task import rank_one_task

TASK = {"link": "h3(z1)", "d": 24, "neurons": 4, "size": 1.0, "noise": 0.1}


def test_without_a_base_a_vector_has_arrived_at_the_risk_of_the_level():
    """h_3: the risk 2 - 2 m^3 is 0.2 at m = 0.9^(1/3)."""
    given = {"link": "h3(z1)", "d": 24, "noise": 0.0, "steps": [0.25], "replicas": 6}
    found = no_base_cell(**given, level=0.2, budget_ratio=400, seed=0)
    dims, generator = torch.full((6,), 24), generator_for(0, "no base", 24)
    rates = 0.25 * plan_search("h3(z1)").rates(dims)
    starts = start_overlaps(dims, generator).abs()
    rule = square_rule("h3(z1)", rates)
    times = hitting_steps("h3(z1)", rule, starts, dims, 9600, generator, level=0.9 ** (1 / 3))
    assert found["needed"][0] == float(times.sort().values[3])


def test_the_linear_model_does_not_come_below_its_floor():
    risks = [rival_cell(**TASK, ratio=ratio, learner=LINEAR, seed=0)["risk"] for ratio in (25, 200)]
    assert lazy_floor(rank_one_task("h3(z1)", 24, 4)) < risks[1] + 0.05 < risks[0]


def test_a_rival_sees_the_labels_of_its_sample_alone():
    task = rank_one_task("h3(z1)", 24, 4)
    problem = draw_problem(task, 240, 0.1 * task.variance**0.5, 5, n_test=4000)
    X, y, test = problem.train.X, problem.train.y, problem.test
    fitted = fit_gaussian_kernel(problem, generator_for(5, "Gaussian kernel"))
    risk = float((fitted(test.X) - test.truth).square().mean()) / task.variance
    assert rival_cell(**TASK, ratio=10, learner="Gaussian kernel", seed=5)["risk"] == pytest.approx(risk)
    base = lambda Z: ((Z[:, :4] ** 3 - 3 * Z[:, :4]) / math.sqrt(6)) @ task.head  # noqa: E731
    left = type(problem)(type(problem.train)(X, y - base(X)), problem.test)
    fitted = fit_gaussian_kernel(left, generator_for(5, "Gaussian kernel"))
    risk = float((fitted(test.X) + base(test.X) - test.truth).square().mean()) / task.variance
    found = rival_cell(**TASK, ratio=10, learner="Gaussian kernel", part="residual", seed=5)["risk"]
    assert found == pytest.approx(risk)
    weight = float((base(X) * y).sum() / (base(X) ** 2).sum())
    left = type(problem)(type(problem.train)(X, y - weight * base(X)), problem.test)
    fitted = fit_gaussian_kernel(left, generator_for(5, "Gaussian kernel"))
    better = float((fitted(test.X) + weight * base(test.X) - test.truth).square().mean()) / task.variance
    found = rival_cell(**TASK, ratio=10, learner="Gaussian kernel", part="fitted residual", seed=5)["risk"]
    assert found == pytest.approx(better) and found < risk


def test_the_risk_of_v_star_on_a_turned_base_was_worked_out():
    """Cosines (cos phi + 1) / 2 of a row with its own and 1/2 with others: 2 - 2 (cube - 1/8) / (7/8)."""
    for angle in (0.0, 45.0, 90.0):
        cube = ((math.cos(math.radians(angle)) + 1) / 2) ** 3
        expected = 2 - 2 * (cube - 1 / 8) / (7 / 8)
        found = turned_base_cell("h3(z1)", 24, 4, 1.0, angle, seed=0)
        assert found["aligned"] == pytest.approx(expected, abs=1e-12)
        correlation = (cube - 1 / 8) / (7 / 8)  # both networks have the variance 7/8
        assert found["scaled"] == pytest.approx(1 - correlation**2, abs=1e-12)


@pytest.mark.parametrize(("angle", "risk", "overlap"), [(45.0, 0.760, 0.95), (60.0, 1.124, 0.87), (90.0, 1.412, 0.0)])
def test_v_star_is_not_the_best_update_of_a_turned_base(angle, risk, overlap):
    """Numbers of another minimisation, of eight starts, by a reader of the chapter."""
    found = turned_base_cell("h3(z1)", 24, 8, 1.0, angle, seed=0)
    assert found["best"] == pytest.approx(risk, abs=1e-3) and found["overlap"] == pytest.approx(overlap, abs=6e-3)
    assert found["best"] < found["aligned"] - 0.1
    straight = turned_base_cell("h3(z1)", 24, 8, 1.0, 0.0, seed=0)
    assert straight["best"] < 1e-6 and straight["overlap"] == pytest.approx(1, abs=1e-6)


def test_bad_input_is_a_sentence():
    for call, named in (
        (lambda: rival_cell(**TASK, ratio=5, learner="nobody", seed=0), "learner = 'nobody'"),
        (lambda: rival_cell(**TASK, ratio=5, learner=LINEAR, part="half", seed=0), "part = 'half'"),
        (lambda: no_base_cell("h3(z1)", 24, 0.1, [0.2], 3.0, 9, 2, seed=0), "level = 3.0"),
    ):
        with pytest.raises(BadParameter, match=named):
            call()
