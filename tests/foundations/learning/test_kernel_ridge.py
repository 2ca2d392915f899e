"""Kernel ridge regression with any kernel against numpy's solver; penalty and kernel against refits by hand."""

import functools

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning import kernel_ridge as module
from beyond_kernel.foundations.learning.kernel_ridge import kernel_ridge, tuned_kernel_ridge
from beyond_kernel.foundations.learning.ridge import LEVELS
from beyond_kernel.foundations.learning.samples import draw_problem
from beyond_kernel.foundations.targets.target import parse_target

PROBLEM = draw_problem(parse_target("z1 + z1*z2", 4, seed=0), 40, 0.3, seed=1, n_test=30)


def bell(X, Z=None, width=1.0):
    return torch.exp(-(torch.cdist(X, X if Z is None else Z) ** 2) / (2 * width**2))


def bell_by_numpy(X, Z, width):
    return np.exp(-((X[:, None, :] - Z[None, :, :]) ** 2).sum(2) / (2 * width**2))


def left_out_losses(gram, y):
    """Leave each sample out in turn and refit at the same 40 times penalty; the diagonal of the kernel is 1."""
    losses = []
    for level in LEVELS:
        errors = []
        for i in range(40):
            kept = np.arange(40) != i
            c = np.linalg.solve(gram[np.ix_(kept, kept)] + 40 * level * np.eye(39), y[kept])
            errors.append(y[i] - gram[i, kept] @ c)
        losses.append(np.mean(np.square(errors)))
    return np.array(losses)


@pytest.mark.parametrize("width", [1.0, 3.0])
def test_prediction_and_penalty_are_those_of_numpy(width):
    train, test = ((sample.X.numpy(), sample.y.numpy()) for sample in (PROBLEM.train, PROBLEM.test))
    gram = bell_by_numpy(train[0], train[0], width)
    losses = left_out_losses(gram, train[1])
    found = kernel_ridge(PROBLEM.train, functools.partial(bell, width=width))
    best = int(np.argmin(losses))
    assert 0 < best < len(LEVELS) - 1  # noise asks for a penalty, and not for the largest
    assert found.fit.penalty == pytest.approx(LEVELS[best])
    dual = np.linalg.solve(gram + 40 * LEVELS[best] * np.eye(40), train[1])
    expected = bell_by_numpy(test[0], train[0], width) @ dual
    np.testing.assert_allclose(found(PROBLEM.test.X).numpy(), expected, atol=1e-8)
    np.testing.assert_allclose(found.fit.losses.numpy(), losses, rtol=1e-5)


def test_of_several_kernels_the_one_of_least_left_out_error_is_kept():
    widths = (0.3, 1.0, 3.0, 10.0)
    gram = PROBLEM.train.X.numpy()
    losses = [left_out_losses(bell_by_numpy(gram, gram, w), PROBLEM.train.y.numpy()).min() for w in widths]
    found = tuned_kernel_ridge(PROBLEM.train, [functools.partial(bell, width=w) for w in widths])
    assert found.kernel.keywords["width"] == widths[int(np.argmin(losses))]
    assert len({f"{loss:.3g}" for loss in losses}) == 4  # no tie that would decide nothing


def test_a_linear_kernel_finds_a_linear_target():
    problem = draw_problem(parse_target("z1", 4, seed=0), 40, 0.0, seed=1, n_test=30)
    found = kernel_ridge(problem.train, lambda X, Z=None: X @ (X if Z is None else Z).T)
    assert torch.allclose(found(problem.test.X), problem.test.truth, atol=1e-5)


def test_blocks_of_inputs_change_no_prediction(monkeypatch):
    found = kernel_ridge(PROBLEM.train, bell)
    whole = found(PROBLEM.test.X)
    monkeypatch.setattr(module, "BLOCK", 7)
    assert torch.allclose(found(PROBLEM.test.X), whole, rtol=1e-12)


def test_no_kernel_at_all_is_refused_with_a_sentence():
    with pytest.raises(BadParameter, match="kernels is empty"):
        tuned_kernel_ridge(PROBLEM.train, [])
