"""Funk-Hecke eigenvalues against closed forms, against a Gram matrix, and where rounding ends them."""

import math
from itertools import combinations_with_replacement

import pytest
import torch
from scipy.special import eval_gegenbauer, ive

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.inputs.laws import sphere
from beyond_kernel.kernel_regime.spectrum import SphereSpectrum, multiplicity, sphere_spectrum
from beyond_kernel.kernel_regime.tangent_kernel import kernel_profile, tangent_kernel
from beyond_kernel.random_streams import generator_for


def test_multiplicity_counts_harmonic_polynomials():
    """Independent count: the rank of degree-k monomials on the sphere, after those of degree k - 2."""
    for d in (2, 3, 5):
        X = sphere(400, d, generator_for(3, d))

        def rank(k, X=X, d=d):
            if k < 0:
                return 0
            columns = [X[:, list(c)].prod(1) for c in combinations_with_replacement(range(d), k)]
            return int(torch.linalg.matrix_rank(torch.stack(columns, 1)))

        for k in range(4):
            assert multiplicity(d, k) == rank(k) - rank(k - 2)
    assert multiplicity(1000, 3) == pytest.approx(1000**3 / 6, rel=0.01)


@pytest.mark.parametrize("d", [3, 7, 300])
def test_powers_of_the_cosine_by_hand(d):
    """t^2 = 1/d + (1 - 1/d) P_2 and t^3 = 3/(d+2) P_1 + (d-1)/(d+2) P_3."""
    square, cube = sphere_spectrum(torch.square, d, 4), sphere_spectrum(lambda t: t**3, d, 4)
    assert square.shares.tolist() == pytest.approx([1 / d, 0, 1 - 1 / d, 0, 0], abs=1e-9)
    assert cube.shares.tolist() == pytest.approx([0, 3 / (d + 2), 0, (d - 1) / (d + 2), 0], abs=1e-9)
    assert square.eigenvalues[1] == 0 and cube.eigenvalues[2] == 0  # absent, not a rounding error
    assert abs(square.tail) < 1e-9 and square.trace == 1


@pytest.mark.parametrize("d", [3, 10, 40, 1000])
def test_the_exponential_kernel_has_bessel_eigenvalues(d):
    """exp(s t) has lambda_k = Gamma(v + 1) (2/s)^v I_{k+v}(s), v = d/2 - 1 (generating function of Gegenbauer)."""
    order, s = d / 2 - 1, d / 4
    found = sphere_spectrum(lambda t: torch.exp(s * t), d, 6).eigenvalues
    for k in range(7):
        log = math.lgamma(order + 1) + order * math.log(2 / s) + math.log(ive(k + order, s)) + s
        # the mean behind the eigenvalue keeps an absolute accuracy of 1e-14 of K(x, x)
        allowed = 1e-8 + 1e-14 * math.exp(s) / math.exp(log) / math.sqrt(multiplicity(d, k))
        assert float(found[k]) == pytest.approx(math.exp(log), rel=allowed)


def test_the_gram_matrix_has_these_eigenvalues():
    """Median eigenvalue of each block of the Gram matrix over n, n = 25 times the number of harmonics counted."""
    d, n = 10, 1600
    values = torch.linalg.eigvalsh(tangent_kernel(sphere(n, d, generator_for(0, "x")), bias=1.0) / n).flip(0)
    predicted = sphere_spectrum(kernel_profile("tangent", d, 1.0), d).eigenvalues
    begin = 0
    for k in range(3):
        block = values[begin : begin + multiplicity(d, k)]
        # a block spreads by sqrt(multiplicity / n), 0.2 here; its median moves far less; 0.04 at most at 20 seeds
        assert float(block.median()) == pytest.approx(float(predicted[k]), rel=0.08)
        begin += multiplicity(d, k)


@pytest.mark.parametrize("kernel", ["random features", "tangent"])
def test_trace_is_shared_out_and_odd_degrees_need_biases(kernel):
    spectrum = sphere_spectrum(kernel_profile(kernel, 12, 1.0), 12)
    assert len(spectrum.eigenvalues) == 13 and bool((spectrum.eigenvalues > 0).all())
    assert float(spectrum.shares.sum()) + spectrum.tail / spectrum.trace == pytest.approx(1)
    assert 0 < spectrum.tail < 0.05 * spectrum.trace
    blind = sphere_spectrum(kernel_profile(kernel, 12, 0.0), 12).eigenvalues
    assert blind[3::2].tolist() == [0.0] * 5 and bool((blind[[0, 1, 2, 4, 6]] > 0).all())


def test_twice_the_nodes_change_nothing():
    for d in (3, 16, 1000):
        profile = kernel_profile("tangent", d, 1.0)
        once, twice = sphere_spectrum(profile, d, 6, 400), sphere_spectrum(profile, d, 6, 800)
        # the kink of the kernel at cosine 1 has weight (1 - t)^{(d-2)/2}: only d = 3 sees it, at 1e-5
        assert torch.allclose(once.eigenvalues, twice.eigenvalues, rtol=1e-5 if d == 3 else 1e-6, atol=0)


@pytest.mark.parametrize("bits", [-3, -1, 0, 1, 3])
def test_a_tail_of_rounding_errors_is_exactly_zero(bits):
    """t^2 in d = 9 has no degree above 2; other last bits of the trace are those of another processor."""
    counts = torch.tensor([1.0, 9.0, 44.0], dtype=torch.float64)
    held = torch.tensor([1 / 9, 0.0, (8 / 9) / 44], dtype=torch.float64)
    trace = 1 + bits * torch.finfo(torch.float64).eps
    assert SphereSpectrum(9, held, counts, trace).tail == 0
    assert SphereSpectrum(9, held, counts, 1 + 1e-9).tail == pytest.approx(1e-9, rel=1e-5)
    assert SphereSpectrum(9, held, counts, 1 - 1e-9).tail == pytest.approx(-1e-9, rel=1e-5)  # not for rounding to hide


@pytest.mark.parametrize("nodes", [300, 400, 500])
def test_a_large_constant_does_not_bury_a_small_degree(nodes):
    """1000 + P_6(t) in d = 100: degree 6, with eigenvalue 1 / B, has a mean 1e-8 times that of degree 0."""
    d = 100

    def profile(t):
        return 1000 + torch.from_numpy(eval_gegenbauer(6, d / 2 - 1, t.numpy()) / eval_gegenbauer(6, d / 2 - 1, 1.0))

    found = float(sphere_spectrum(profile, d, 6, nodes).eigenvalues[6])
    assert found == pytest.approx(1 / multiplicity(d, 6), rel=1e-9)  # 2e-10; 5e-9 to 2e-8 without deflation


def test_bad_input_is_a_sentence():
    with pytest.raises(BadParameter, match="d = 2 is out of range"):
        sphere_spectrum(torch.square, 2, 3)
    with pytest.raises(BadParameter, match="max_degree = 20 is too high for d = 1000: beyond degree 8"):
        sphere_spectrum(torch.square, 1000, 20)
    assert len(sphere_spectrum(torch.square, 1000).eigenvalues) == 9
    with pytest.raises(BadParameter, match="nodes = 3 is out of range"):
        sphere_spectrum(torch.square, 5, 3, nodes=3)
    with pytest.raises(BadParameter, match="not finite at cosine"):
        sphere_spectrum(lambda t: t.log(), 5, 3)
    with pytest.raises(BadParameter, match="one value for each"):
        sphere_spectrum(lambda t: t.sum(), 5, 3)
    with pytest.raises(BadParameter, match="d = 1 is out of range"):
        multiplicity(1, 2)
