"""Kernel ridge regression with any kernel against numpy's solver, the penalty against a search by hand."""

import functools
from dataclasses import replace

import numpy as np
import pytest
import torch

from beyond_kernel.foundations.learning.kernel_ridge import kernel_ridge
from beyond_kernel.foundations.learning.ridge import LEVELS
from beyond_kernel.foundations.learning.samples import draw_problem
from beyond_kernel.foundations.targets.target import parse_target

PROBLEM = draw_problem(parse_target("z1 + z1*z2", 4, seed=0), 40, 0.3, seed=1, n_validation=60, n_test=30)


def bell(X, Z=None, width=1.0):
    return torch.exp(-(torch.cdist(X, X if Z is None else Z) ** 2) / (2 * width**2))


def bell_by_numpy(X, Z, width):
    return np.exp(-((X[:, None, :] - Z[None, :, :]) ** 2).sum(2) / (2 * width**2))


@pytest.mark.parametrize("width", [1.0, 3.0])
def test_prediction_and_penalty_are_those_of_numpy(width):
    train, validation, test = (
        (sample.X.numpy(), sample.y.numpy()) for sample in (PROBLEM.train, PROBLEM.validation, PROBLEM.test)
    )
    gram = bell_by_numpy(train[0], train[0], width)
    duals = [np.linalg.solve(gram + 40 * level * np.eye(40), train[1]) for level in LEVELS]  # its diagonal is 1
    held_out = bell_by_numpy(validation[0], train[0], width)
    losses = [np.mean((held_out @ c - validation[1]) ** 2) for c in duals]
    found = kernel_ridge(PROBLEM, functools.partial(bell, width=width))
    best = int(np.argmin(losses))
    assert 0 < best < len(LEVELS) - 1  # noise asks for a penalty, and not for the largest
    assert found.fit.penalty == pytest.approx(LEVELS[best])
    expected = bell_by_numpy(test[0], train[0], width) @ duals[best]
    # the path solves to 1e-8 or so of |y|, and K + n penalty I is at least n penalty
    np.testing.assert_allclose(found(PROBLEM.test.X).numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(found.fit.validation_losses.numpy(), losses, rtol=1e-3)


def test_a_linear_kernel_finds_a_linear_target():
    problem = draw_problem(parse_target("z1", 4, seed=0), 40, 0.0, seed=1, n_validation=60, n_test=30)
    found = kernel_ridge(problem, lambda X, Z=None: X @ (X if Z is None else Z).T)
    assert torch.allclose(found(problem.test.X), problem.test.truth, atol=1e-5)


def test_labels_of_the_hold_out_choose_and_do_not_train():
    """With other labels on the hold-out another penalty is chosen, and the path stays."""
    validation = replace(PROBLEM.validation, y=torch.zeros_like(PROBLEM.validation.y))
    found = kernel_ridge(replace(PROBLEM, validation=validation), bell)
    assert found.fit.penalty == pytest.approx(LEVELS[-1])  # labels of zero ask for the smallest prediction
    gram = bell(PROBLEM.train.X).numpy()
    expected = np.linalg.solve(gram + 40 * found.fit.penalty * np.eye(40), PROBLEM.train.y.numpy())
    np.testing.assert_allclose(found.fit.coefficients.numpy(), expected, rtol=1e-6, atol=1e-9)
