"""Radial laws: closed forms against quadrature of the density, hand-worked dimensions, samples against the laws."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.integrate import quad
from scipy.special import jv

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.inputs.radial_inputs import (
    RADIAL_LAWS,
    ball_indicator,
    half_heavy_tailed,
    heavy_tailed,
    heavy_tailed_radii,
    radius_above,
    small_gaussian,
    two_spheres,
    wave_number,
)
from beyond_kernel.random_streams import generator_for

SAMPLES = 20_000
RADII = torch.tensor([0.0, 0.05, 0.3, 0.7, 1.0, 1.4142, 1.9, 2.5], dtype=torch.float64)


def unit_volume_radius(d):
    return 1 / (math.pi ** (d / 2) / math.gamma(d / 2 + 1)) ** (1 / d)


@pytest.mark.parametrize("d", [2, 3, 5, 8, 17])
@pytest.mark.parametrize("alpha", [1.0, 1.7])
def test_the_bessel_sum_is_the_integral_of_the_density(d, alpha):
    """The density in d dimensions, as the paper has it, times the area of the sphere of radius r."""
    R = unit_volume_radius(d)
    k = 2 * math.pi * alpha * math.sqrt(d) * R
    area = 2 * math.pi ** (d / 2) / math.gamma(d / 2)

    def density(r):
        return area * r ** (d - 1) * (R / r) ** d * jv(d / 2, k * r) ** 2

    edges = np.concatenate([[1e-9], np.arange(0.1, 2.6, 0.1)])
    inside = np.cumsum([quad(density, a, b, epsabs=1e-12)[0] for a, b in zip(edges[:-1], edges[1:], strict=True)])
    told = 1 - radius_above("heavy-tailed", torch.from_numpy(edges[1:]), d, alpha)
    np.testing.assert_allclose(told.numpy(), inside, rtol=0, atol=1e-9)  # 26 integrals of tolerance 1e-12, d <= 17


def test_the_wave_number_holds_the_radius_of_the_unit_ball():
    for d in (1, 2, 3, 10):
        assert wave_number(d) == pytest.approx(2 * math.pi * math.sqrt(d) * unit_volume_radius(d), rel=1e-13)
    assert wave_number(3, 2.0) == pytest.approx(2 * wave_number(3), rel=1e-15)


def test_in_the_plane_it_is_the_airy_disk():
    """83.8 % and 91.0 % of the light fall inside the first and the second dark ring, as books on optics say."""
    rings = torch.tensor([3.831706, 7.015587], dtype=torch.float64) / wave_number(2)
    told = 1 - radius_above("heavy-tailed", rings, 2)
    np.testing.assert_allclose(told.numpy(), [0.8378, 0.9099], atol=1e-4)


@pytest.mark.parametrize("d", [2, 5, 16, 33])
def test_the_closed_form_has_the_predicted_tail(d):
    """r P(|x| > r) -> d / (pi k): with J^2 replaced by its envelope 1 / (pi t), the integral of d / (pi t^2)."""
    r = torch.linspace(200, 220, 4001, dtype=torch.float64)
    scaled = (r * radius_above("heavy-tailed", r, d)).mean() * math.pi * wave_number(d) / d
    assert float(scaled) == pytest.approx(1, abs=1e-3)  # the next term is of relative order (nu / t)^2


def test_two_spheres_in_space_have_a_uniform_inner_product():
    """Archimedes: in three dimensions <x_1, x_2> is uniform, so P(|x| > r) = 1 - r^2 / 4."""
    r = torch.linspace(0, 2, 9, dtype=torch.float64)
    np.testing.assert_allclose(radius_above("two spheres", r, 3), 1 - r**2 / 4, atol=1e-14)
    np.testing.assert_allclose(radius_above("two spheres", r, 2), 2 / math.pi * torch.arccos(r / 2), atol=1e-8)
    for d in (2, 7, 40):  # by symmetry the ball of radius sqrt(2) is one half
        assert float(radius_above("two spheres", torch.tensor(2**0.5), d)) == pytest.approx(0.5, abs=1e-5)
    assert float(radius_above("two spheres", torch.tensor(3.0), 5)) == 0


def test_the_small_gaussian_in_the_plane_and_the_mixture():
    np.testing.assert_allclose(radius_above("small Gaussian", RADII, 2), torch.exp(-(RADII**2)), atol=1e-14)
    halves = [radius_above(law, RADII, 6, 1.5) for law in ("small Gaussian", "heavy-tailed")]
    np.testing.assert_allclose(radius_above("half heavy-tailed", RADII, 6, 1.5), sum(halves) / 2, atol=1e-15)


@pytest.mark.parametrize("law", RADIAL_LAWS)
@pytest.mark.parametrize("d", [2, 3, 16, 65])
def test_the_closed_form_is_a_law_in_both_precisions(law, d):
    r = torch.linspace(0, 30, 3001, dtype=torch.float64)
    above = radius_above(law, r, d)
    assert float(above[0]) == pytest.approx(1, abs=1e-13)
    assert (above.diff() <= 1e-12).all() and (above >= -1e-12).all()  # 33 squares of Bessel functions, each to 1e-14
    single = radius_above(law, r.float(), d)
    assert single.dtype == torch.float32 and single.shape == r.shape
    np.testing.assert_allclose(single, above, atol=2e-5)  # a radius of 30 is rounded by 2e-6, the density is below 10


def against(law, d, seed, alpha=1.0):
    extra = {} if alpha == 1.0 else {"alpha": alpha}
    X = RADIAL_LAWS[law](SAMPLES, d, generator_for(seed, "radial", law, d), **extra)
    return stats.kstest(1 - radius_above(law, X.norm(dim=1), d, alpha).numpy(), "uniform").statistic


@pytest.mark.parametrize("law", RADIAL_LAWS)
@pytest.mark.parametrize("d", [2, 3, 16])
def test_samples_follow_the_closed_form(law, d):
    # ten other seeds of each of the 12: at most 1.48 / sqrt(n); the limit law leaves 1e-5 above 2.47
    assert against(law, d, 0) <= 2.47 / math.sqrt(SAMPLES)


@pytest.mark.parametrize("law", ["heavy-tailed", "half heavy-tailed"])
def test_samples_follow_the_closed_form_for_another_alpha(law):
    assert against(law, 5, 1, alpha=1.6) <= 2.47 / math.sqrt(SAMPLES)


def test_alpha_is_a_length():
    once, twice = (heavy_tailed_radii(200, 6, generator_for(4), alpha) for alpha in (1.0, 2.0))
    torch.testing.assert_close(twice, once / 2, rtol=1e-14, atol=0)


@pytest.mark.parametrize("law", RADIAL_LAWS)
def test_directions_are_uniform_and_know_nothing_of_the_radius(law):
    d = 5
    X = RADIAL_LAWS[law](SAMPLES, d, generator_for(3, "directions", law))
    radius = X.norm(dim=1)
    unit = X / radius[:, None]
    rank = radius.argsort().argsort()[:, None] / SAMPLES - 0.5  # free of the tail
    pairs = torch.combinations(torch.arange(d))
    products = unit[:, pairs[:, 0]] * unit[:, pairs[:, 1]]
    for draws, expected in (
        (unit, 0), (unit**2, 1 / d), (unit**4, 3 / (d * (d + 2))), (products, 0), (products**2, 1 / (d * (d + 2))),
        (rank * unit, 0), (rank * (unit**2 - 1 / d), 0), (rank * products, 0),
    ):  # fmt: skip
        error = draws.std(dim=0) / math.sqrt(SAMPLES)
        assert ((draws.mean(dim=0) - expected).abs() <= 5 * error).all()  # 50 means: passed with chance 1 - 3e-5


def test_the_sum_of_two_spheres_has_the_moments_of_its_parts():
    X = two_spheres(SAMPLES, 8, generator_for(5))
    squares = X.square().sum(1)
    assert float(squares.max()) <= 4 + 1e-12
    assert float(squares.mean()) == pytest.approx(2, abs=5 * 2 / math.sqrt(8 * SAMPLES))  # variance 4 E t^2 = 4 / d
    assert float(squares.var()) == pytest.approx(4 / 8, rel=0.06)  # 5 standard errors


@pytest.mark.parametrize("law", RADIAL_LAWS)
def test_both_precisions_see_one_sample_and_the_generator_alone_decides(law):
    before = torch.random.get_rng_state()
    double = RADIAL_LAWS[law](60, 4, generator_for(1))
    single = RADIAL_LAWS[law](60, 4, generator_for(1), torch.float32)
    assert double.dtype == torch.float64 and single.dtype == torch.float32 and double.shape == (60, 4)
    assert torch.equal(single, double.float())
    assert not torch.equal(double, RADIAL_LAWS[law](60, 4, generator_for(2)))
    assert torch.equal(before, torch.random.get_rng_state())


def test_one_draw_and_many_dimensions():
    for d in (2, 301, 2000):
        assert torch.isfinite(heavy_tailed(1, d, generator_for(d))).all()
    assert half_heavy_tailed(1, 2, generator_for(0)).shape == (1, 2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_ball_is_closed_and_holds_its_share(dtype):
    edge = torch.tensor([[3.0, 4.0], [3.0, 4.001], [0.0, 0.0]], dtype=dtype)
    inside = ball_indicator(edge, 5.0)
    assert inside.dtype == dtype and inside.tolist() == [1.0, 0.0, 1.0]
    X = small_gaussian(SAMPLES, 7, generator_for(6), dtype)
    expected = 1 - float(radius_above("small Gaussian", torch.tensor(0.9, dtype=dtype), 7))
    assert float(ball_indicator(X, 0.9).mean()) == pytest.approx(expected, abs=5 * 0.5 / math.sqrt(SAMPLES))


@pytest.mark.parametrize("law", RADIAL_LAWS.values())
def test_bad_arguments_are_refused(law):
    for n, d in ((0, 3), (3, 0), (2.0, 3), (3, -1)):
        with pytest.raises(BadParameter, match="whole number"):
            law(n, d, generator_for(0))
    with pytest.raises(TypeError, match="generator"):
        law(3, 3, 0)
    with pytest.raises(TypeError, match="dtype"):
        law(3, 3, generator_for(0), torch.int64)


def test_other_bad_arguments_are_refused():
    with pytest.raises(BadParameter, match="d = 1"):
        heavy_tailed(3, 1, generator_for(0))
    with pytest.raises(BadParameter, match="alpha"):
        heavy_tailed_radii(3, 3, generator_for(0), 0.0)
    with pytest.raises(BadParameter, match="two spheres"):
        radius_above("two sphere", RADII, 3)
    with pytest.raises(BadParameter, match="radius"):
        radius_above("two spheres", torch.tensor([-1.0]), 3)
    with pytest.raises(BadParameter, match="radius"):
        radius_above("two spheres", torch.tensor([math.nan]), 3)
    with pytest.raises(BadParameter, match="radius"):
        ball_indicator(torch.ones(2, 2), 0.0)
