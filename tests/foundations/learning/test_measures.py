"""Measures against cases that can be worked out by hand, against SciPy and against closed forms."""

import math

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning.measures import (
    energy_per_direction,
    leading_subspace,
    learnt_fractions,
    principal_angles,
    risk,
    samples_to_reach,
    subspace_overlap,
)


def frame(d: int, r: int, seed: int) -> torch.Tensor:
    draws = torch.randn(d, r, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.linalg.qr(draws).Q


def test_overlap_of_a_neuron_at_a_known_angle():
    U = torch.eye(4, 2, dtype=torch.float64)
    W = torch.tensor([[3.0, 0, 0, 4], [0, 5, 0, 0], [0, 0, 0, 7], [0, 0, 0, 0]], dtype=torch.float64)
    assert subspace_overlap(W, U).tolist() == pytest.approx([9 / 25, 1, 0, 0])
    assert energy_per_direction(W, U).tolist() == pytest.approx([9 / 100, 1 / 4])


def test_overlap_does_not_depend_on_the_length_of_a_neuron_nor_on_the_basis():
    U, W = frame(10, 3, 0), torch.randn(7, 10, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rotation = frame(3, 3, 2)
    assert torch.allclose(subspace_overlap(W, U), subspace_overlap(1e3 * W, U @ rotation))
    whole = frame(10, 10, 3)
    assert torch.allclose(subspace_overlap(W, whole), torch.ones(7, dtype=torch.float64))


def test_random_neurons_have_overlap_r_over_d():
    W = torch.randn(20_000, 12, generator=torch.Generator().manual_seed(4))
    # Beta(r/2, (d-r)/2) has standard deviation 0.16 here, so its mean over 20,000 draws 0.0011; five sigma
    assert float(subspace_overlap(W, frame(12, 3, 5).float()).mean()) == pytest.approx(3 / 12, abs=0.006)


def test_principal_angles_agree_with_scipy_also_where_the_cosine_is_blind():
    first, second = frame(9, 3, 6), frame(9, 2, 7)
    expected = np.sort(subspace_angles(first.numpy(), second.numpy()))
    assert principal_angles(first, second).tolist() == pytest.approx(expected.tolist(), abs=1e-12)
    tilted = torch.eye(5, 2, dtype=torch.float64)
    tilted[:, 0] = torch.tensor([math.cos(1e-9), 0, math.sin(1e-9), 0, 0], dtype=torch.float64)
    angles = principal_angles(tilted, torch.eye(5, 2, dtype=torch.float64))
    assert float(angles[1]) == pytest.approx(1e-9, rel=1e-6)


def test_leading_subspace_finds_the_strong_directions():
    U = frame(15, 2, 8)
    generator = torch.Generator().manual_seed(9)
    noise = 1e-6 * torch.randn(200, 15, generator=generator, dtype=torch.float64)
    W = torch.randn(200, 2, generator=generator, dtype=torch.float64) @ U.T + noise
    assert float(principal_angles(leading_subspace(W, 2), U).max()) < 1e-5  # the size of the noise, with room


def test_risk_is_the_mean_square_and_its_standard_error_is_right():
    generator = torch.Generator().manual_seed(10)
    errors = torch.randn(400, 1000, generator=generator, dtype=torch.float64)
    estimates = [risk(row, torch.zeros_like(row), variance=1.0) for row in errors]
    values = torch.tensor([estimate.value for estimate in estimates])
    assert float(values.mean()) == pytest.approx(1, abs=0.01)  # E z^2 = 1; sigma sqrt(2 / 4e5) = 0.002
    stated = sum(estimate.standard_error for estimate in estimates) / 400
    # the scatter of 400 risks gives their true standard error to 3.5 % (one sigma)
    assert stated == pytest.approx(float(values.std()), rel=0.15)
    assert stated == pytest.approx(math.sqrt(2 / 1000), rel=0.05)


def test_risk_is_in_units_of_the_variance_error_and_all():
    prediction, truth = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 0.0, 3.0])
    plain, scaled = risk(prediction, truth, 1.0), risk(3 * prediction, 3 * truth, 9.0)
    assert plain.value == pytest.approx(4 / 3)
    assert (scaled.value, scaled.standard_error) == pytest.approx((plain.value, plain.standard_error))


def test_learnt_fractions_read_off_the_mixture():
    generator = torch.Generator().manual_seed(11)
    parts = torch.randn(5000, 3, generator=generator, dtype=torch.float64)
    parts[:, 2] += 0.5 * parts[:, 0]  # correlated parts must not leak into one another
    rest = 0.1 * torch.randn(5000, generator=generator, dtype=torch.float64)
    prediction = parts @ torch.tensor([1.0, 0.0, 0.4], dtype=torch.float64) + rest
    # standard error of a coefficient: 0.1 / sqrt(5000), about 0.0016 with the correlation
    assert learnt_fractions(prediction, parts).tolist() == pytest.approx([1, 0, 0.4], abs=0.01)


def test_samples_to_reach_on_a_power_law_and_at_its_ends():
    sizes = 2.0 ** np.arange(4, 12)
    assert samples_to_reach(sizes, 40 / sizes, 0.25) == pytest.approx(160, rel=0.1)  # grid of factor 2, linear between
    assert samples_to_reach([10, 1000], [1.0, 0.0], 0.5) == pytest.approx(100)
    assert math.isnan(samples_to_reach(sizes, np.ones(8), 0.25))
    assert samples_to_reach(sizes, np.zeros(8), 0.25) == 16
    assert samples_to_reach([1, 2, 4], [0.5, 0.1, math.nan], 0.5) == 1
    # a lucky early point does not count: the risk must stay below
    assert samples_to_reach([1, 10, 100, 1000], [1, 0.1, 1, 0.1], 0.25) > 100
    with pytest.raises(BadParameter, match="must ascend"):
        samples_to_reach([2, 1], [0, 0], 0.5)


def test_bad_input_is_refused_with_a_sentence():
    W, U = torch.ones(3, 4, dtype=torch.float64), frame(4, 2, 12)
    with pytest.raises(BadParameter, match="orthonormal"):
        subspace_overlap(W, 2 * U)
    with pytest.raises(BadParameter, match=r"shape \(n, 4\)"):
        subspace_overlap(W[:, :3], U)
    with pytest.raises(BadParameter, match="rank = 5"):
        leading_subspace(W, 5)
    with pytest.raises(BadParameter, match="at least two"):
        risk(torch.ones(1), torch.ones(1), variance=1.0)
    with pytest.raises(BadParameter, match="variance = 0"):
        risk(torch.ones(2), torch.ones(2), variance=0.0)
    with pytest.raises(BadParameter, match="linearly dependent"):
        learnt_fractions(torch.ones(5), torch.ones(5, 2))
    with pytest.raises(BadParameter, match="second has 5 rows"):
        principal_angles(U, frame(5, 2, 13))
