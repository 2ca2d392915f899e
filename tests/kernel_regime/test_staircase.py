"""The steps of Gram matrices against numbers of others, direct counts, closed laws and samples."""

import math

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.inputs.laws import gaussian, sphere
from beyond_kernel.kernel_regime.dual_kernels import dual_random_feature_kernel, dual_tangent_kernel
from beyond_kernel.kernel_regime.spectrum import SphereSpectrum
from beyond_kernel.kernel_regime.staircase import (
    dual_profile,
    dual_spectrum,
    first_layer_kernel,
    median_gaps,
    predicted_eigenvalues,
    steps_of,
)
from beyond_kernel.random_streams import generator_for


def made_of(eigenvalues, multiplicities, tail=0.0):
    values, counts = (torch.tensor(part, dtype=torch.float64) for part in (eigenvalues, multiplicities))
    return SphereSpectrum(9, values, counts, float(values @ counts) + tail)


def test_staircase_of_the_first_layer_has_the_numbers_of_an_independent_computation():
    """Predicted heights of degrees one to three for sigmoid(z - 1), computed by others for the same kernel."""
    expected = {20: [3.175e-2, 2.60e-4, 6.95e-6], 30: [3.172e-2, 1.77e-4, 3.4e-6], 60: [3.169e-2, 9.0e-5]}
    for d, heights in expected.items():
        found = dual_spectrum("first layer", d, 2000, "shifted sigmoid").eigenvalues
        assert found[1 : 1 + len(heights)].tolist() == pytest.approx(heights, rel=0.015)  # printed to 2 to 4 digits
        assert float(found[0]) == pytest.approx(2.8e-3, rel=0.015)


@pytest.mark.parametrize("kernel", ["random features", "tangent", "first layer"])
def test_profile_is_the_kernel_between_points_on_the_sphere(kernel):
    """Against the oracle of the kernels, entry by entry; the bias is one more coordinate."""
    X, d = sphere(30, 8, generator_for(0, "x")), 8
    whole, head = dual_tangent_kernel(X, None, 0.7, "tanh"), dual_random_feature_kernel(X, None, 0.7, "tanh")
    expected = {"random features": head, "tangent": whole, "first layer": whole - head}[kernel]
    cosines = (X @ X.T / d).clamp(-1, 1)
    assert torch.allclose(dual_profile(kernel, d, "tanh", 0.7)(cosines.flatten()).reshape(30, 30), expected, atol=1e-9)
    if kernel == "first layer":
        assert torch.allclose(first_layer_kernel(X, None, 0.7, "tanh"), expected, atol=1e-9)


def test_law_of_equal_variances_is_marchenko_and_pastur_s():
    """One degree, B = n / 4: the density on [(1 - 1/2)^2, (1 + 1/2)^2] in closed form, and zeros for the rest."""
    n, count = 2000, 500
    found = predicted_eigenvalues(made_of([1.0], [count]), n)
    low, high = 0.25, 2.25
    x = np.linspace(low, high, 200_001)
    density = np.sqrt((high - x) * (x - low)) / (2 * math.pi * 0.25 * x)
    below = np.cumsum(density) * (x[1] - x[0])
    quantiles = np.interp(1 - (np.arange(count) + 0.5) / count, below / below[-1], x)
    assert np.allclose(found[:count], quantiles, rtol=5e-3)
    assert np.allclose(found[count:], 0, atol=1e-12)


def test_law_predicts_features_with_independent_entries():
    """What the law is a theorem for: Gaussian features of three variances, and a tail that is a constant."""
    n, counts, values = 600, [20, 150, 900], [1.0, 0.05, 2e-3]
    scales = torch.cat([torch.full((c,), v**0.5, dtype=torch.float64) for c, v in zip(counts, values, strict=True)])
    features = gaussian(n, len(scales), generator_for(0, "features")) * scales
    gram = features @ features.T + 0.3 * torch.eye(n, dtype=torch.float64)
    measured = torch.linalg.eigvalsh(gram).flip(0).numpy() / n
    found = predicted_eigenvalues(made_of(values, counts, tail=0.3), n)
    assert np.median(np.abs(measured / found - 1)) < 0.01
    assert np.abs(measured / found - 1).max() < 0.1
    assert found.sum() == pytest.approx(1.0 * 20 + 0.05 * 150 + 2e-3 * 900 + 0.3, rel=0.01)  # the trace is kept


def test_steps_say_which_ranks_are_theirs_and_which_are_resolved():
    steps = steps_of(made_of([0.2, 3.0, 0.0, 0.01], [1, 5, 14, 30]), 24)
    assert [(step.degree, step.ranks, step.resolved) for step in steps] == [
        (1, range(0, 5), True),
        (0, range(5, 6), True),
        (3, range(6, 24), False),
    ]
    assert not steps_of(made_of([3.0], [5]), 19)[0].resolved


def test_median_gaps_by_hand():
    steps = steps_of(made_of([1.0, 0.1], [3, 3]), 6)
    gaps = median_gaps(np.array([4.0, 3, 2, 1, 1, 1]), np.array([2.0, 2, 2, 2, 2, 2]), steps)
    assert gaps.tolist() == pytest.approx([0.5, -0.5])


def test_bad_input_is_refused_with_a_sentence():
    with pytest.raises(BadParameter, match="did you mean 'tangent'"):
        dual_spectrum("tangnet", 5, 10, "relu")
    with pytest.raises(BadParameter, match="d = 2"):
        dual_spectrum("tangent", 2, 10, "relu")
    with pytest.raises(BadParameter, match="n = 0"):
        predicted_eigenvalues(made_of([1.0], [3]), 0)
    with pytest.raises(BadParameter, match="at least one step"):
        median_gaps(np.ones(3), np.ones(3), [])
