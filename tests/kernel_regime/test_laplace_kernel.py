"""The Laplace kernel against differences taken one by one, and its learner against a function that it must learn."""

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.inputs.balls import BallIndicator
from beyond_kernel.foundations.learning.samples import draw_problem
from beyond_kernel.kernel_regime.laplace_kernel import fit_laplace_kernel, laplace_kernel, typical_distance
from beyond_kernel.random_streams import generator_for


def inputs(n: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(n, 4, generator=generator_for(n, "laplace"), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_it_is_the_exponential_of_the_distance(dtype):
    X, Z = inputs(12, dtype), inputs(7, dtype)
    exact = np.exp(-np.linalg.norm(X.numpy()[:, None] - Z.numpy()[None], axis=2) / 1.7)
    found = laplace_kernel(X, Z, length=1.7)
    assert found.dtype == dtype
    np.testing.assert_allclose(found.numpy(), exact, rtol=1e-5)
    own = laplace_kernel(X, length=1.7)
    torch.testing.assert_close(
        own, laplace_kernel(X, X, length=1.7), rtol=0, atol=1e-7 if dtype.itemsize == 8 else 1e-3
    )
    assert bool((own == own.T).all()) and own.diagonal().tolist() == [1.0] * 12


def test_it_is_positive_definite():
    assert float(torch.linalg.eigvalsh(laplace_kernel(inputs(60))).min()) > 0


def test_the_unit_is_the_median_over_pairs():
    X = torch.tensor([[0.0], [1.0], [3.0]])  # distances 1, 2, 3
    assert typical_distance(X) == pytest.approx(2.0)
    assert typical_distance(10 * X) == pytest.approx(20.0)


def test_it_does_not_matter_in_which_units_inputs_are():
    problem = draw_problem(BallIndicator(3, 2**0.5, "two spheres"), 200, 0.0, 0, n_test=500)
    small = fit_laplace_kernel(problem, generator_for(0))(problem.test.X)
    problem.train.X.mul_(100.0)
    large = fit_laplace_kernel(problem, generator_for(0))(100 * problem.test.X)
    torch.testing.assert_close(small, large, rtol=1e-6, atol=1e-6)
    assert float((small - problem.test.y).square().mean()) < 0.12  # the best constant has 0.25


def test_bad_arguments():
    with pytest.raises(BadParameter, match="length = 0"):
        laplace_kernel(inputs(3), length=0)
    with pytest.raises(BadParameter, match="Z has shape"):
        laplace_kernel(inputs(3), torch.ones(2, 3).double())
    with pytest.raises(BadParameter, match="X has 1 rows of typical distance 0"):
        typical_distance(inputs(1))
    with pytest.raises(TypeError, match="X is of type list"):
        laplace_kernel([[1.0]])
