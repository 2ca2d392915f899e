"""The experiments on radii against closed forms, counts and limits worked out by hand."""

import math

import numpy as np
import pytest

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.inputs import radii as ra
from beyond_kernel.foundations.inputs import radii_cells as cells
from beyond_kernel.foundations.inputs.radial_inputs import RADIAL_LAWS, wave_number


@pytest.mark.parametrize("law", RADIAL_LAWS)
@pytest.mark.parametrize("seed", range(2))
def test_radii_follow_the_closed_form(law, seed):
    for d in (4, 16):
        assert cells.radius_cell(law, d, 4000, seed=seed)["distance"] <= ra.ks_limit(16, 1e-4)  # once in 10,000


def test_shares_beyond_a_radius_are_counts():
    radii = ra.sampled_radii("two spheres", 3, 500, 4).numpy()
    edges = [0.0, 0.5, float(radii[17]), 1.5, 2.5]
    counts = [float((radii > edge).mean()) for edge in edges]
    above = cells.above_cell("two spheres", 3, 500, edges, seed=4)["above"]
    np.testing.assert_allclose(above[:4], counts[:4], atol=1e-15)
    assert counts[4] == 0 and math.isnan(above[4])


def test_two_spheres_concentrate():
    """|x| = sqrt(2 + 2t) with t close to N(0, 1/d): the quartiles are 2 * 0.6745 / sqrt(2 d) apart."""
    for d in (64, 256):
        width = np.mean([cells.radius_width_cell("two spheres", d, 4000, seed=seed)["width"] for seed in range(4)])
        # a quartile of 16,000 draws has an error of 1.1 %, two of them 1.5 %; the correction is of order 1/d
        assert width * math.sqrt(d) == pytest.approx(2 * 0.67449 / math.sqrt(2), rel=0.06)


def test_the_heavy_law_does_not_concentrate():
    """For large d the radius is (nu / k) sec(pi U / 2) and nu / k tends to sqrt(e / (8 pi))."""
    limit = math.sqrt(math.e / (8 * math.pi)) * (1 / math.cos(3 * math.pi / 8) - 1 / math.cos(math.pi / 8))
    width = np.mean([cells.radius_width_cell("heavy-tailed", 300, 3000, seed=seed)["width"] for seed in range(4)])
    assert width == pytest.approx(limit, rel=0.1)  # 20 other groups: at most 5.2 %


def test_the_tail_exponent_is_one():
    for law in ("heavy-tailed", "half heavy-tailed"):
        tails = [cells.radius_cell(law, 16, 20_000, seed=seed)["exponent"] for seed in range(3)]
        assert np.mean(tails) == pytest.approx(1, abs=5 / math.sqrt(3 * 500))  # relative error 1 / sqrt(500) each
    assert cells.radius_cell("two spheres", 16, 20_000, seed=0)["exponent"] > 10


def test_the_largest_draw_stays_in_the_mean():
    d, n = 8, 4096
    scale = d / (math.pi * wave_number(d))
    runs = [cells.running_mean_cell("heavy-tailed", d, n, seed=seed) for seed in range(20)]
    shares = np.array([run["largest"] for run in runs]) / scale
    # largest / (n scale) has the law exp(-1/x): its median is 1 / log 2, at every n
    assert (np.abs(np.log(np.median(shares, axis=0) * math.log(2))) < 1.2).all()
    radii = ra.sampled_radii("heavy-tailed", d, n, 0)
    assert runs[0]["mean"].shape == (7,)
    assert runs[0]["mean"][-1] == pytest.approx(float(radii.mean()), rel=1e-12)
    assert runs[0]["mean"][0] == pytest.approx(float(radii[:64].mean()), rel=1e-12)
    assert runs[0]["largest"][-1] == pytest.approx(float(radii.max()) / n, rel=1e-12)


def test_bad_arguments_are_refused():
    with pytest.raises(BadParameter, match="law"):
        cells.radius_cell("sphere", 4, 100, seed=0)
    with pytest.raises(BadParameter, match="n = 10"):
        cells.running_mean_cell("two spheres", 4, 10, seed=0)
