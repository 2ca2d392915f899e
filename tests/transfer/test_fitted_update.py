"""Doubts the fit of an update to one sample, against scipy's least squares and an explicit ridge regression."""

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning.ridge import fit_ridge
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.fitted_update import fit_update, linear_update
from beyond_kernel.transfer.rank_one_task import rank_one_task


def labelled(task, n, noise=0.2):
    generator = generator_for(0, "fitted")
    X = torch.randn(n, task.dim, generator=generator, dtype=torch.float64)
    return X, task(X) + noise * torch.randn(n, generator=generator, dtype=torch.float64)


def network(task, v, X):
    """The student as it is written in the chapter."""
    base = torch.nn.functional.pad(task.unit_base, (0, task.dim - task.coordinates))
    powers = torch.stack([(X @ (task.shrink * (base + task.size * v)).T) ** p for p in range(len(task.link.powers))])
    return torch.einsum("p,pnk,k->n", torch.tensor(task.link.powers, dtype=torch.float64), powers, task.head)


@pytest.mark.parametrize("angle", [0.0, 30.0])
def test_a_fit_ends_where_least_squares_of_scipy_does(angle):
    """Over vectors of any length that are shortened to one: the same function of the same sample."""
    task = rank_one_task("(h2(z1)+h3(z1))/sqrt(2)", 12, 3, 0.8, angle=angle)
    X, y = labelled(task, 150)
    start = linear_update(task, X, y)
    found = fit_update(task, X, y, start)
    left = lambda u: (y - network(task, torch.as_tensor(u / np.linalg.norm(u)), X)).numpy()  # noqa: E731
    there = least_squares(left, start.numpy(), xtol=1e-12, ftol=1e-12).x
    assert np.allclose(found.numpy(), there / np.linalg.norm(there), atol=1e-4)
    assert float(found.norm()) == pytest.approx(1)


def test_the_linear_update_is_ridge_on_the_slopes_of_the_base():
    """Slopes by autograd of the student at v = 0 with unit rows, and the base's own value as one more feature."""
    task = rank_one_task("he3", 12, 4)
    X, y = labelled(task, 100)
    v = torch.zeros(100, 12, dtype=torch.float64, requires_grad=True)
    base = torch.nn.functional.pad(task.unit_base, (0, 7))
    z = torch.einsum("nkd,nd->nk", base + v[:, None], X)
    f = ((z**3 - 3 * z) / 6**0.5) @ task.head
    (slopes,) = torch.autograd.grad(f.sum(), v)
    expected = fit_ridge(torch.cat([slopes, f.detach()[:, None]], 1), y).coefficients[:12]
    assert torch.allclose(linear_update(task, X, y), expected / expected.norm())


def test_one_round_is_a_damped_step_along_the_sphere():
    """With the Jacobian of autograd and a damping of one, which lowers the error here at once."""
    task = rank_one_task("he3", 12, 4, 0.8)
    X, y = labelled(task, 100)
    v = linear_update(task, X, y)
    J = torch.autograd.functional.jacobian(lambda u: network(task, u, X), v)
    J = J - torch.outer(J @ v, v)
    step = torch.linalg.solve(J.T @ J + 100 * torch.eye(12, dtype=torch.float64), J.T @ (y - network(task, v, X)))
    assert torch.allclose(fit_update(task, X, y, v, 1), (v + step) / (v + step).norm(), atol=1e-10)


def test_no_step_raises_the_error_and_a_perfect_fit_stays():
    task = rank_one_task("he3", 12, 4)
    X, y = labelled(task, 100)
    start = linear_update(task, X, y)
    losses = [float((y - network(task, fit_update(task, X, y, start, r), X)).square().sum()) for r in range(1, 6)]
    assert losses == sorted(losses, reverse=True) and losses[-1] < losses[0]
    right = torch.zeros(12, dtype=torch.float64)
    right[4] = 3.0
    assert torch.allclose(fit_update(task, X, task(X), right), right / 3)


def test_bad_input_ends_in_one_sentence():
    task = rank_one_task("he3", 12, 4)
    X, y = labelled(task, 30)
    for call, named in (
        (lambda: linear_update(task, X[:, :5], y), "X has shape"),
        (lambda: linear_update(task, X, y[:4]), "y has shape"),
        (lambda: linear_update(task, X, 0 * y), "linear fit is zero"),
        (lambda: fit_update(task, X, y, X[0, :4]), "start has shape"),
        (lambda: fit_update(task, X, y, 0 * X[0]), "zero vector"),
        (lambda: fit_update(task, X, y, X[0], 0), "rounds = 0"),
    ):
        with pytest.raises(BadParameter, match=named):
            call()
