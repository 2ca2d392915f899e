"""TODO: one sentence that says what is doubted here (now: a cell has the error of theory, and repeats)."""

import math

import numpy as np
import pytest

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.information_exponent_cells import information_exponent_cell


def test_error_of_one_direction():
    """For f = z1 without noise the truth is zero and E[error^2] = E[z1^2 |x x^T - I|^2] / n = (d + 1) (d + 4) / n."""
    n, d = 40, 5
    squares = np.array([information_exponent_cell("z1", d, n, 0.0, seed=seed)["error"] ** 2 for seed in range(200)])
    assert abs(squares.mean() - (d + 1) * (d + 4) / n) < 4 * squares.std() / math.sqrt(len(squares))


def test_the_size_is_that_of_the_truth():
    """z1 z2 has mean square one and the Hessian e1 e2^T + e2 e1^T."""
    assert information_exponent_cell("3*z1*z2", 4, 10, 0.1, seed=0)["size"] == pytest.approx(math.sqrt(2))


def test_a_seed_repeats_and_another_does_not():
    first, again, other = (information_exponent_cell("z1*z2", 4, 30, 0.1, seed=seed) for seed in (0, 0, 1))
    assert first == again and first["error"] != other["error"]


def test_bad_input_is_a_sentence():
    with pytest.raises(BadParameter, match="n = 0"):
        information_exponent_cell("z1*z2", 4, 0, 0.1, seed=0)
