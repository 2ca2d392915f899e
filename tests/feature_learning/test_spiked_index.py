"""The spiked single index against formulas written out by hand and against sampling."""

import math

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.spiked_index import spiked_index
from beyond_kernel.foundations.learning.samples import draw_problem
from beyond_kernel.random_streams import generator_for

CUBIC = "(h1(z1) + h3(z1))/sqrt(2)"


@pytest.mark.parametrize("cosine", [0.0, 0.6, 1.0])
def test_values_are_the_link_at_a_standard_normal_coordinate(cosine):
    task = spiked_index(CUBIC, 20, 0.7, seed=3, cosine=cosine)
    X = task.law(50_000, 20, generator_for(0, "task"))
    theta = 20**0.7
    z = X @ task.directions[:, 0] / math.sqrt(1 + theta * cosine**2)
    expected = (z + (z**3 - 3 * z) / math.sqrt(6)) / math.sqrt(2)
    assert torch.allclose(task(X), expected, atol=1e-10)
    assert float(z.square().mean()) == pytest.approx(1, abs=4 * math.sqrt(2 / 50_000))  # four standard errors
    assert task.variance == pytest.approx(1, abs=1e-9)  # the squares of the two coefficients add up to one


@pytest.mark.parametrize("cosine", [0.0, 0.3, 1.0])
def test_the_spike_is_a_unit_vector_at_the_angle_asked_for(cosine):
    task = spiked_index(CUBIC, 15, 0.5, seed=2, cosine=cosine)
    assert float(task.spike.norm()) == pytest.approx(1)
    assert float(task.spike @ task.directions[:, 0]) == pytest.approx(cosine, abs=1e-12)
    assert torch.equal(task.directions, spiked_index(CUBIC, 15, 0.5, seed=2).directions)


def test_a_problem_is_drawn_from_the_tasks_own_law():
    task = spiked_index(CUBIC, 10, 1.0, seed=1)
    problem = draw_problem(task, 20_000, 0.0, 0, n_test=10)
    along = problem.train.X @ task.spike
    assert float(along.square().mean()) == pytest.approx(11, rel=4 * math.sqrt(2 / 20_000))
    assert problem.variance == task.variance


def test_single_precision_follows_the_inputs():
    task = spiked_index(CUBIC, 10, 0.5)
    X = task.law(5, 10, generator_for(0, "single"), torch.float32)
    assert task(X).dtype == torch.float32
    assert torch.allclose(task(X).double(), task(X.double()), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beta": 2.0}, "beta = 2.0 is out of range"),
        ({"cosine": -0.1}, "cosine = -0.1 is out of range"),
        ({"dim": 1}, "d = 1 is out of range"),
        ({"link": "z1*z2"}, "has rank 2: it must have rank 1"),
    ],
)
def test_bad_input_ends_in_one_sentence(options, message):
    with pytest.raises(BadParameter, match=message):
        spiked_index(**{"link": CUBIC, "dim": 10, "beta": 0.5} | options)
