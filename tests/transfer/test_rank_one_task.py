"""Doubts the exact risk of networks against quadrature and samples, and the drift against the slope of that risk."""

import math

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning.samples import draw_problem
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.rank_one_task import (
    HEADS,
    drift_at_start,
    network_risk,
    rank_one_task,
)

LINKS = ["he3", "(h2(z1)+h4(z1))/sqrt(2)", "h1(z1)/2 + h2(z1)/4 - h4(z1)/12"]


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize(
    "options",
    [{}, {"angle": 40.0}, {"coherence": 0.4}, {"rescaled": False}, {"heads": "equal", "angle": 20.0}],
    ids=str,
)
def test_risk_and_variance_are_those_of_a_large_sample(options):
    task = rank_one_task("(h2(z1)+h3(z1))/sqrt(2)", 12, 3, 0.8, **options)
    generator = generator_for(0, "sample")
    rows = torch.randn(2, 3, 12, generator=generator, dtype=torch.float64) * 0.4
    X = torch.randn(400_000, 12, generator=generator, dtype=torch.float64)
    y = task(X)
    assert float(y.var()) == pytest.approx(task.variance, rel=0.05)  # standard error about one per cent
    for student, found in zip(rows, network_risk(task, rows), strict=True):
        error = (task.link(X @ student.T) @ task.head - y).square().mean() / task.variance
        assert float(found) == pytest.approx(float(error), rel=0.06)


def test_the_variance_of_cubes_was_worked_out():
    """Alternating heads cancel the cubes of v*, of energy (s^2 / (1 + s^2))^3; equal heads add them k times."""
    share = (0.64 / 1.64) ** 3
    assert rank_one_task("he3", 30, 6, 0.8).variance == pytest.approx(1 - share)
    assert rank_one_task("he3", 30, 6, 0.8, heads="equal").variance == pytest.approx(1 + 5 * share)


@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize("text", LINKS)
def test_the_drift_is_the_slope_of_the_risk(text, heads):
    """Along v = m v* + sqrt(1 - m^2) e with e orthogonal to all, minus half of the slope of the mean squared error."""
    task = rank_one_task(text, 20, 4, 0.7, heads=heads)
    m = torch.zeros((), dtype=torch.float64, requires_grad=True)
    v = torch.cat([torch.zeros(4, dtype=torch.float64), torch.stack([m, (1 - m**2).sqrt()])])
    base = torch.nn.functional.pad(task.unit_base, (0, 1))
    (slope,) = torch.autograd.grad(network_risk(task, task.shrink * (base + task.size * v)) * task.variance, m)
    assert drift_at_start(task) == pytest.approx(-float(slope) / 2, rel=1e-10)


@pytest.mark.parametrize("text", [*LINKS, "h4(z1)", "h5(z1)"])
def test_the_drift_is_positive_whatever_the_degrees(text):
    assert drift_at_start(rank_one_task(text, 20, 4)) > 0.05


def test_it_is_a_task_of_the_learning_kit():
    task = rank_one_task("he3", 16, 3, coherence=0.3)
    problem = draw_problem(task, 40, 0.1, 0, n_test=50)
    assert problem.test.X.shape == (50, 16) and problem.variance == task.variance
    U = task.directions
    assert torch.allclose(U.T @ U, torch.eye(3, dtype=torch.float64))
    inside = problem.test.X @ U @ U.T
    assert torch.allclose(task(inside), problem.test.truth)
    assert task(inside.float()).dtype == torch.float32
    rows = task.teacher
    assert torch.allclose(rows.square().sum(1), torch.ones(3, dtype=torch.float64))
    assert torch.allclose((task.unit_base @ task.unit_base.T)[0, 1], tensor(0.3)[0])


def test_a_turned_base_keeps_its_inner_products_and_leaves_the_teacher():
    task = rank_one_task("he3", 16, 3, angle=60.0, coherence=0.3)
    straight = rank_one_task("he3", 16, 3, coherence=0.3)
    gram = task.unit_base @ task.unit_base.T
    assert torch.allclose(gram, straight.unit_base @ straight.unit_base.T)
    assert torch.allclose(task.unit_base @ task.teacher.T * math.sqrt(2), gram / 2)  # cos 60
    assert float(network_risk(task, task.teacher)) == pytest.approx(0, abs=1e-12)
    assert network_risk(task, task.teacher.float()[None]).dtype == torch.float32


@pytest.mark.parametrize(
    ("given", "options", "named"),
    [
        (("he3", 19, 8), {}, "dim = 19"),
        (("he3", 30, 0), {}, "neurons = 0"),
        (("he3", 30, 2, 0.0), {}, "size = 0.0"),
        (("he3", 30, 2), {"angle": 91.0}, "angle = 91.0"),
        (("he3", 30, 2), {"coherence": 1.0}, "coherence = 1.0"),
        (("he3", 30, 2), {"heads": "both"}, "heads = 'both'"),
        (("he3", 30, 2), {"rescaled": 1}, "rescaled = 1"),
        (("relu", 30, 2), {}, "link = 'relu'"),
        (("z1", 30, 2), {}, "link = 'z1'"),
        (("he7", 30, 2), {}, "link = 'he7'"),
        (("z1*z2", 30, 2), {}, "z1"),
    ],
)
def test_bad_input_ends_in_one_sentence(given, options, named):
    with pytest.raises(BadParameter, match=named.replace("*", r"\*")) as caught:
        rank_one_task(*given, **options)
    assert "\n" not in str(caught.value)


def test_other_bad_input():
    task = rank_one_task("he3", 30, 2)
    with pytest.raises(BadParameter, match="rows has shape"):
        network_risk(task, torch.zeros(3, 7, dtype=torch.float64))
    with pytest.raises(BadParameter, match="orthonormal"):
        drift_at_start(rank_one_task("he3", 30, 2, angle=10.0))
