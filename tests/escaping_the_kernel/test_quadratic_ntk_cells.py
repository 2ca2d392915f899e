"""The experiments against slopes derived by counting powers, quadrature, and moves of which everything is known."""

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.escaping_the_kernel import quadratic_ntk_cells
from beyond_kernel.escaping_the_kernel.quadratic_ntk import QuadraticPredictor
from beyond_kernel.escaping_the_kernel.quadratic_ntk_cells import (
    balanced_quadratic,
    moves_cell,
    saddle_cell,
    scaling_cell,
)
from beyond_kernel.escaping_the_kernel.taylor_model import TaylorModel, taylor_start
from beyond_kernel.figures import fitted_slope
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.kernel_regime.activations import ACTIVATIONS
from beyond_kernel.random_streams import generator_for

WIDTHS = [64, 256, 1024]


def slopes(activation, draws=64):
    cells = [[scaling_cell(width, 20, activation, draws, seed=seed) for width in WIDTHS] for seed in range(4)]
    return {
        name: fitted_slope(WIDTHS, np.mean([[cell[name] for cell in row] for row in cells], 0))[0]
        for name in cells[0][0]
    }


def test_mean_squares_scale_with_the_width_as_powers_count():
    """Slopes of mean squares: f_L 1/2, with signs -1/2; f_Q 0; cubic term -1/2; with signs the quartic one, -1."""
    found = slopes("shifted sigmoid")
    assert found["linear"] == pytest.approx(0.5, abs=0.02)
    assert found["quadratic"] == pytest.approx(0.0, abs=0.02)
    assert found["remainder"] == pytest.approx(-0.5, abs=0.06)
    assert found["silenced"] == pytest.approx(-0.5, abs=0.02)
    assert found["linear_signs"] == pytest.approx(-0.5, abs=0.15)
    assert -1.4 < found["remainder_signs"] < -1.0  # the cubic one, -3/2, is still seen at these widths


def test_an_activation_without_mean_curvature_has_a_quadratic_part_that_vanishes():
    """erf'' is odd, so that f_Q is a mean of zero-mean terms: 1/m of its variance is left."""
    assert slopes("erf", draws=4)["quadratic"] == pytest.approx(-1.0, abs=0.2)


def test_the_mean_over_signs_is_the_derived_one():
    cells = [scaling_cell(32, 10, draws=3000, seed=seed) for seed in range(3)]
    for cell in cells:
        assert cell["linear_signs"] == pytest.approx(cell["silenced"], rel=0.12)  # 1.4 / sqrt(3,000) is 0.026
    assert np.mean([c["linear_signs"] / c["silenced"] for c in cells]) == pytest.approx(1, abs=0.06)


def test_aligned_mean_squares_are_those_of_the_limit():
    """E f_L^2 = sqrt(m) (E sigma')^2 / 4 = 0.00792 sqrt(m), E f_Q^2 = (E sigma'')^2 E z^4 / 16, coefficients as in

    the table of Hermite coefficients .17794 and .05262; a normal z, so d = 200, and 3 d / (d + 2) for E z^4.
    """
    cell = [scaling_cell(2000, 200, draws=1, seed=seed) for seed in range(4)]
    linear, quadratic = (np.mean([c[name] for c in cell]) for name in ("linear", "quadratic"))
    assert linear == pytest.approx(2000**0.5 * 0.17794**2 / 4, rel=0.08)
    assert quadratic == pytest.approx(0.05262**2 / 16 * 600 / 202, rel=0.2)


@pytest.mark.parametrize("directions", [1, 2, 5])
def test_the_balanced_quadratic_has_its_rank_and_mean_square_one(directions):
    target = parse_target(balanced_quadratic(directions), 6, 0)
    assert target.rank == directions and target.degree == 2
    assert target.variance == pytest.approx(1.0)
    signs = np.linalg.eigvalsh(target.expected_hessian().double().numpy())
    assert (signs > 1e-9).sum() == (directions + 1) // 2 and (signs < -1e-9).sum() == directions // 2


def test_what_is_read_off_moves_that_are_known(monkeypatch):
    """Moves b r^{1/2} of the first twins along the hidden direction: one eigenvalue, cosine one."""
    d, width = 6, 40
    direction = parse_target("h2(z1)", d, 3).normalised().directions[:, 0].double()
    start = taylor_start(width, d, generator_for(0))
    W = torch.zeros(width, d, dtype=torch.float64)
    W[:4] = torch.tensor([1.0, 2.0, 2.0, 1.0], dtype=torch.float64)[:, None] * direction
    W[25] = -3 * direction
    known = QuadraticPredictor(TaylorModel(start.W0, W), 0.1, 5)
    monkeypatch.setattr(quadratic_ntk_cells, "fit_quadratic_model", lambda *_: known)
    cell = moves_cell("h2(z1)", d, 50, width, 10, 0.0, seed=3)
    assert cell["eigenvalues"] == pytest.approx([1.0, 0, 0, 0, 0, 0], abs=1e-9)  # 1 + 4 + 4 + 1 - 9
    X = quadratic_ntk_cells.draw_problem(parse_target("h2(z1)", d, 3).normalised(), 50, 0.0, 3, "sphere", 2000).test.X
    inner, signs = X @ known.model.W.T, torch.tensor([1.0] * 20 + [-1.0] * 20, dtype=torch.float64)
    slopes = ACTIVATIONS["shifted sigmoid"].derivative(X @ torch.cat([start.W0, start.W0]).T) / width**0.5
    assert cell["linear"] == pytest.approx(float((slopes * inner * signs).sum(1).square().mean()))
    assert cell["silenced"] == pytest.approx(float((slopes * inner).square().sum(1).mean()))
    test = quadratic_ntk_cells.draw_problem(parse_target("h2(z1)", d, 3).normalised(), 50, 0.0, 3, "sphere", 2000).test
    weights = torch.cat([start.W0, start.W0]) + W
    network = (torch.sigmoid(X @ weights.T - 1) * signs).sum(1) / width**0.5
    variance = float(test.truth.var(correction=0))
    assert cell["network_risk"] == pytest.approx(float((network - test.truth).square().mean()) / variance)
    assert cell["signed_risk"] != cell["network_risk"]
    assert cell["cosine"] == pytest.approx(1.0) and cell["longest"] == pytest.approx(3.0)


def test_training_finds_the_direction_and_the_network_is_worse_than_its_model():
    cells = [moves_cell("h2(z1)", 12, 120, 200, 100, 0.0, seed=seed) for seed in range(2)]
    for cell in cells:
        assert cell["cosine"] > 0.95 and cell["risk"] < 0.5
        assert abs(cell["eigenvalues"][0]) > 2 * abs(cell["eigenvalues"][1])
        assert cell["network_risk"] > 1.5 * cell["risk"]


def test_only_a_start_that_has_moved_leaves_the_saddle():
    """The gradient of f_Q is linear in the moves near zero: a ten times smaller start has a hundredth of the change."""
    still, tiny, small, large = (
        saddle_cell("h2(z1)", 8, 60, 100, 60, jitter, seed=0)["losses"] for jitter in (0.0, 1e-4, 1e-3, 1e-1)
    )
    assert len(still) == 61 and np.ptp(still) == 0
    assert tiny[0] == pytest.approx(still[0], rel=1e-3) and large[-1] < 0.5 * still[0]
    assert (small[5] - small[0]) / (tiny[5] - tiny[0]) == pytest.approx(100, rel=0.05)


def test_bad_parameters_end_in_a_sentence():
    with pytest.raises(BadParameter, match="width = 33 is odd"):
        scaling_cell(33, 5, seed=0)
    with pytest.raises(BadParameter, match="draws = 0 is out of range"):
        scaling_cell(8, 5, draws=0, seed=0)
    with pytest.raises(BadParameter, match="directions = 0 is out of range"):
        balanced_quadratic(0)
