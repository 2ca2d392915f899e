"""Samples of radii against laws: scipy, exact samples, limits worked out by hand."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.inputs import radii as ra
from beyond_kernel.foundations.inputs.radial_inputs import RADIAL_LAWS, wave_number
from beyond_kernel.random_streams import generator_for


def test_the_distance_is_that_of_scipy():
    for power in (0.8, 1.2):  # too large, then too small: the gap lies on either side
        levels = torch.rand(501, generator=generator_for(0), dtype=torch.float64) ** power
        assert ra.ks_distance(levels) == pytest.approx(stats.kstest(levels.numpy(), "uniform").statistic, abs=1e-15)
    assert ra.ks_distance(torch.tensor([0.2])) == pytest.approx(0.8)
    assert ra.ks_distance(torch.tensor([0.9])) == pytest.approx(0.9)
    assert ra.ks_limit(1) == pytest.approx(1.9495, abs=1e-3)  # the 99.9 % point of tables
    assert ra.ks_limit(10, 0.01) == pytest.approx(ra.ks_limit(1, 0.001), rel=1e-12)


@pytest.mark.parametrize("law", RADIAL_LAWS)
@pytest.mark.parametrize("seed", range(2))
def test_radii_follow_the_closed_form(law, seed):
    for d in (4, 16):
        assert ra.radius_cell(law, d, 4000, seed)["distance"] <= ra.ks_limit(16, 1e-4)  # 16 samples, once in 10,000


def test_shares_beyond_a_radius_are_counts():
    radii = ra.sampled_radii("two spheres", 3, 500, 4).numpy()
    edges = [0.0, 0.5, float(radii[17]), 1.5, 2.5]
    counts = [float((radii > edge).mean()) for edge in edges]
    np.testing.assert_allclose(ra.above_cell("two spheres", 3, 500, 4, edges)["above"][:4], counts[:4], atol=1e-15)
    assert counts[4] == 0 and math.isnan(ra.above_cell("two spheres", 3, 500, 4, edges)["above"][4])


def test_two_spheres_concentrate():
    """|x| = sqrt(2 + 2t) with t close to N(0, 1/d): the quartiles are 2 * 0.6745 / sqrt(2 d) apart."""
    for d in (64, 256):
        width = np.mean([ra.width_cell("two spheres", d, 4000, seed)["width"] for seed in range(4)])
        # a quartile of 16,000 draws has an error of 1.1 %, two of them 1.5 %; the correction is of order 1/d
        assert width * math.sqrt(d) == pytest.approx(2 * 0.67449 / math.sqrt(2), rel=0.06)


def test_the_heavy_law_does_not_concentrate():
    """For large d the radius is (nu / k) sec(pi U / 2) and nu / k tends to sqrt(e / (8 pi))."""
    limit = math.sqrt(math.e / (8 * math.pi)) * (1 / math.cos(3 * math.pi / 8) - 1 / math.cos(math.pi / 8))
    width = np.mean([ra.width_cell("heavy-tailed", 300, 3000, seed)["width"] for seed in range(4)])
    assert width == pytest.approx(limit, rel=0.1)  # 20 other groups: at most 5.2 %


def test_the_tail_exponent_is_one():
    for law in ("heavy-tailed", "half heavy-tailed"):
        tails = [ra.radius_cell(law, 16, 20_000, seed)["exponent"] for seed in range(3)]
        assert np.mean(tails) == pytest.approx(1, abs=5 / math.sqrt(3 * 500))  # relative error 1 / sqrt(500) each
    assert ra.radius_cell("two spheres", 16, 20_000, 0)["exponent"] > 10


def test_hill_finds_the_exponent_of_a_pareto_sample():
    levels = torch.rand(40_000, generator=generator_for(1, "pareto"), dtype=torch.float64)
    for exponent in (0.5, 3.0):
        found = ra.hill_exponent(levels ** (-1 / exponent), 2000)
        assert found == pytest.approx(exponent, rel=5 / math.sqrt(2000))
    assert ra.hill_exponent(torch.tensor([math.e**2, 1.0, math.e, 0.1]), 2) == pytest.approx(1 / 1.5)


def test_the_largest_draw_stays_in_the_mean():
    d, n = 8, 4096
    scale = d / (math.pi * wave_number(d))
    cells = [ra.running_mean_cell("heavy-tailed", d, n, seed) for seed in range(20)]
    shares = np.array([cell["largest"] for cell in cells]) / scale
    # largest / (n scale) has the law exp(-1/x): its median is 1 / log 2, at every n
    assert (np.abs(np.log(np.median(shares, axis=0) * math.log(2))) < 1.2).all()
    radii = ra.sampled_radii("heavy-tailed", d, n, 0)
    assert cells[0]["mean"].shape == (7,)
    assert cells[0]["mean"][-1] == pytest.approx(float(radii.mean()), rel=1e-12)
    assert cells[0]["mean"][0] == pytest.approx(float(radii[:64].mean()), rel=1e-12)
    assert cells[0]["largest"][-1] == pytest.approx(float(radii.max()) / n, rel=1e-12)


def test_bad_arguments_are_refused():
    with pytest.raises(BadParameter, match="law"):
        ra.radius_cell("sphere", 4, 100, 0)
    with pytest.raises(BadParameter, match="chance"):
        ra.ks_limit(3, 1.0)
    with pytest.raises(BadParameter, match="count"):
        ra.hill_exponent(torch.ones(4), 4)
    with pytest.raises(BadParameter, match="n = 10"):
        ra.running_mean_cell("two spheres", 4, 10, 0)
