"""What the experiments of lazy_training are made of: tasks, draws, and one training beside its tangent model."""

import math

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning.teachers import relu_teacher
from beyond_kernel.foundations.targets.target import Target
from beyond_kernel.foundations.targets.tokens import TargetError
from beyond_kernel.kernel_regime.lazy_training import stable_step
from beyond_kernel.kernel_regime.lazy_training_cells import (
    draw_task,
    lazy_cell,
    lazy_run,
    task_of,
    with_constant,
)

SMALL = {"task": "3 relu neurons", "d": 10, "n": 80, "width": 60, "steps": 200, "noise": 0.1}


def test_scale_and_steps_do_not_change_what_is_drawn():
    one, other = lazy_run(scale=1.0, seed=3, **SMALL), lazy_run(scale=9.0, seed=3, **(SMALL | {"steps": 5}))
    assert torch.equal(one.start.W, other.start.W) and torch.equal(one.train.y, other.train.y)
    assert lazy_cell(scale=1.0, seed=3, **SMALL) == lazy_cell(scale=1.0, seed=3, **SMALL)
    assert not torch.equal(one.train.y, lazy_run(scale=1.0, seed=4, **SMALL).train.y)


def test_a_task_is_a_teacher_or_a_polynomial():
    assert relu_teacher(3, 5, 1).network.W.equal(task_of("3 relu neurons", 5, 1).network.W)
    assert task_of("1 relu neuron", 5, 1).directions.shape == (5, 1)
    polynomial = task_of("3*z1*z2", 5, 1)
    assert isinstance(polynomial, Target) and polynomial.second_moment == pytest.approx(1)
    with pytest.raises(TargetError):
        task_of("three neurons", 5, 1)
    with pytest.raises(BadParameter, match="neurons = 0"):
        task_of("0 relu neurons", 5, 1)


def test_draws_carry_a_constant_and_noise_on_the_training_labels_only():
    train, test = draw_task("z1", 5, 50, 0.3, 0)
    assert train.X.shape == (50, 6) and test.X.shape == (2000, 6)
    assert (train.X[:, -1] == 1).all() and torch.equal(with_constant(train.X[:, :5]), train.X)
    assert torch.allclose((train.y - train.truth).abs(), torch.full((50,), 0.3, dtype=torch.float64))
    assert torch.equal(test.y, test.truth)
    assert torch.allclose(train.truth, task_of("z1", 5, 0)(train.X[:, :5]))


def test_bad_input_is_refused_in_one_sentence():
    with pytest.raises(BadParameter, match="noise = -1"):
        draw_task("z1", 5, 50, -1.0, 0)
    with pytest.raises(BadParameter, match="d = 1"):
        relu_teacher(2, 1, 0)
    with pytest.raises(BadParameter, match="start = 'mirrored'"):
        lazy_run(scale=1.0, seed=0, start="mirrored", **SMALL)


def test_tangent_prediction_is_the_start_plus_the_kernel():
    run = lazy_run(scale=4.0, seed=1, start="independent", **SMALL)
    still = run.start(run.train.X) + run.gram @ run.fit.coefficients
    assert torch.allclose(run.tangent_prediction(run.train.X), still)
    kept = torch.eye(80).double() - 2 * stable_step(run.gram) / 80 * run.gram  # what a step leaves of the residual
    left = torch.linalg.matrix_power(kept, SMALL["steps"]) @ (run.start(run.train.X) - run.train.y)
    assert torch.allclose(still - run.train.y, left, atol=1e-9)
    assert math.isclose(run.fit.distance**2, float(run.fit.coefficients @ run.gram @ run.fit.coefficients))
