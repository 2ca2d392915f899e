"""The Gaussian kernel against its definition entry by entry, its Fourier transform and what a metric means."""

import math

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.kernel_regime.gaussian_kernel import gaussian_kernel
from beyond_kernel.random_streams import generator_for

X = torch.randn(7, 4, generator=generator_for(0, "X"), dtype=torch.float64)
Z = torch.randn(5, 4, generator=generator_for(0, "Z"), dtype=torch.float64)
ROOT = torch.randn(4, 4, generator=generator_for(0, "root"), dtype=torch.float64)
METRIC = ROOT @ ROOT.T


def by_entries(X, Z, length, metric):
    entries = []
    for x in X.tolist():
        for z in Z.tolist():
            gap = [a - b for a, b in zip(x, z, strict=True)]
            square = sum(gap[i] * float(metric[i, j]) * gap[j] for i in range(4) for j in range(4))
            entries.append(math.exp(-square / (2 * length**2)))
    return torch.tensor(entries, dtype=torch.float64).reshape(len(X), len(Z))


@pytest.mark.parametrize("length", [0.7, 3.0])
@pytest.mark.parametrize("metric", [torch.eye(4, dtype=torch.float64), METRIC])
def test_every_entry_is_that_of_the_definition(length, metric):
    assert torch.allclose(gaussian_kernel(X, Z, length, metric), by_entries(X, Z, length, metric), atol=1e-13)
    own = gaussian_kernel(X, length=length, metric=metric)
    assert torch.allclose(own, by_entries(X, X, length, metric), atol=1e-13)
    assert torch.equal(own, own.T) and torch.equal(own.diagonal(), torch.ones(7, dtype=torch.float64))


def test_without_a_metric_it_is_the_identity():
    same = gaussian_kernel(X, Z, 1.3, torch.eye(4, dtype=torch.float64))
    assert torch.allclose(gaussian_kernel(X, Z, 1.3), same, atol=1e-14)


def test_a_metric_is_a_change_of_the_inputs():
    assert torch.allclose(gaussian_kernel(X, Z, 1.3, METRIC), gaussian_kernel(X @ ROOT, Z @ ROOT, 1.3), atol=1e-12)


def test_mean_of_random_cosines():
    """Bochner: K(x, z) = E cos(w . (x - z)), w ~ N(0, I / length^2); the error is at most 1/sqrt(2 draws) a entry."""
    draws, length = 40_000, 1.7
    W = torch.randn(draws, 4, generator=generator_for(0, "frequencies"), dtype=torch.float64) / length
    mean = torch.cos((X[:, None] - Z[None]) @ W.T).mean(2)
    assert (mean - gaussian_kernel(X, Z, length)).abs().max() < 5 / math.sqrt(2 * draws)  # 35 entries within 5 sigma


def test_dtype_follows_the_inputs_and_far_points_do_not_overflow():
    single = gaussian_kernel(X.float(), length=1.3, metric=METRIC)
    assert single.dtype == torch.float32
    assert (single.double() - gaussian_kernel(X, length=1.3, metric=METRIC)).abs().max() < 1e-5
    assert gaussian_kernel(1e8 * X, 1e8 * Z).max() == 0
    near = gaussian_kernel(1e4 + X, length=1.0)  # rounding of 1e8 must give no negative square
    assert near.max() <= 1


def test_bad_input_is_refused_with_a_sentence():
    with pytest.raises(BadParameter, match="length = 0"):
        gaussian_kernel(X, length=0)
    with pytest.raises(BadParameter, match=r"Z has shape \(5, 3\)"):
        gaussian_kernel(X, Z[:, :3])
    with pytest.raises(BadParameter, match=r"metric has shape \(2, 4\)"):
        gaussian_kernel(X, metric=METRIC[:2])
    with pytest.raises(BadParameter, match="metric is not symmetric"):
        gaussian_kernel(X, metric=ROOT)
    with pytest.raises(TypeError, match="X is of type ndarray"):
        gaussian_kernel(X.numpy())
