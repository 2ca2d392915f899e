"""The population gradient, its overlap and its degenerate cases, against quadrature, sampling and trained neurons."""

import math

import pytest
import torch
from trained_overlap import TWO, overlap

from beyond_kernel.feature_learning.one_step import (
    correlations,
    one_step_features,
)
from beyond_kernel.feature_learning.one_step_theory import (
    degenerate_hessian,
    modelled_overlap,
    population_correlation,
    predicted_overlap,
)
from beyond_kernel.foundations.learning.networks import symmetric_init
from beyond_kernel.foundations.learning.samples import draw_sample
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for


def test_population_correlation_by_quadrature():
    """One direction, w at angle t to it: E f(u.x) x 1{w.x > 0} is a two-dimensional Gaussian integral."""
    target = parse_target("1/3 + z1/2 + He2(z1)/2 - He3(z1)/5 + He4(z1)/sqrt(48)", 2, directions=torch.eye(2)[:, :1])
    t = torch.tensor([0.3, 1.2, 2.5], dtype=torch.float64)
    W = torch.stack([t.cos(), t.sin()], 1)
    # the half plane makes plain quadrature slow; in polar coordinates the radius is exact and the angle smooth
    angles = torch.linspace(0, 2 * math.pi, 200_001, dtype=torch.float64)[:-1]
    circle = torch.stack([angles.cos(), angles.sin()], 1)
    radii, weights = _radial_rule()
    for row, w in zip(population_correlation(target, W), W, strict=True):
        half = circle[circle @ w > 0]
        total = sum(
            weight * r * (target(r * half)[:, None] * half).sum(0) / len(circle)
            for r, weight in zip(radii, weights, strict=True)
        )
        assert torch.allclose(row, total, atol=1e-4)  # one angle of 2e5 may fall on the wrong side


def _radial_rule():
    """Nodes and weights for E g(r), r the length of a standard Gaussian in the plane, g a polynomial of degree < 20."""
    from scipy.special import roots_genlaguerre

    nodes, weights = roots_genlaguerre(40, 0)
    return (2 * torch.tensor(nodes)).sqrt().tolist(), torch.tensor(weights).tolist()


def test_population_correlation_against_sampling_in_three_directions():
    target = parse_target("(h2(z1) + z2*z3 + z1*z2*z3)/sqrt(3)", 8, seed=5)
    W = symmetric_init(8, 8, torch.Generator().manual_seed(3)).W[:4]
    n = 400_000
    X = torch.randn(n, 8, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    sampled = correlations(W, X, target(X))
    # a coordinate has standard deviation below sqrt(E f^2 x^2 / (2 n)), at most 0.003; 32 of them within 5 sigma
    assert (sampled - population_correlation(target, W)).abs().max() < 0.015


def test_gradient_follows_the_expected_hessian_with_its_factor():
    d = 60
    target = parse_target(TWO, d, seed=2)
    W = torch.randn(200, d, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    W /= W.norm(dim=1, keepdim=True)
    leading = W @ target.expected_hessian() / math.sqrt(2 * math.pi)
    exact = population_correlation(target, W)
    cosine = torch.nn.functional.cosine_similarity(exact, leading)
    assert float(cosine.median()) > 0.98
    slope = float((exact * leading).sum() / leading.square().sum())
    assert slope == pytest.approx(1, abs=0.05)  # the next terms are smaller by 1/sqrt(d)


@pytest.mark.parametrize("text", [TWO, "He2(z1)/2 + He4(z1)/sqrt(48)", "(h2(z1) + z2*z3 + z1*z2*z3)/sqrt(3)"])
def test_overlap_follows_the_gaussian_model(text):
    """Model and mean over 4 seeds agree to 0.03 in trials at 2 d^2 and more; one run scatters by 0.03."""
    ratios = (2, 8, 32)
    modelled = modelled_overlap(parse_target(text, 24, 0), [ratio * 24**2 for ratio in ratios], 0.0)
    for ratio, predicted in zip(ratios, modelled.tolist(), strict=True):
        measured = sum(overlap(text, 24, ratio, seed) for seed in range(4)) / 4
        assert measured == pytest.approx(predicted, abs=0.07)


def test_share_of_energy_follows_the_formula():
    """The formula is for the ratio of mean energies; trials differ by at most 0.06 at 4 d^2 and more."""
    for seed in range(3):
        target = parse_target(TWO, 24, seed)
        for ratio in (4, 16):
            sample = draw_sample(target, ratio * 24**2, 0.0, generator_for(seed, "train"))
            W = one_step_features(sample, 300, generator_for(seed, "net"))[1].W
            share = float((W @ target.directions).square().sum() / W.square().sum())
            predicted = predicted_overlap(len(sample), 24, target.expected_hessian(), target.variance)
            assert share == pytest.approx(predicted, abs=0.09)


def test_overlap_of_he4_rises_with_n_over_d4_where_that_of_he3_does_not():
    """d = 5, means over 15 seeds: He4 rises by 0.15 to 0.20 from d^4/4 to 64 d^4, He3 by 0.09 at most in trials."""
    rise = {}
    for text in ("h4(z1)", "h3(z1)"):
        few, many = ([overlap(text, 5, q * 25, seed) for seed in range(15)] for q in (0.25, 64))
        rise[text] = (sum(many) - sum(few)) / 15
    assert rise["h4(z1)"] > 0.1 > rise["h3(z1)"] - 0.05
    pure = parse_target("h4(z1)", 5, 0)
    low, high = modelled_overlap(pure, [0.25 * 625, 64 * 625], 0.0).tolist()
    assert rise["h4(z1)"] == pytest.approx(high - low, abs=0.12)


def test_gradient_of_a_quartic_has_the_length_that_the_term_with_c4_gives():
    """(1/6) c_4 C_4(w, w, w, .) for He4 / sqrt(24): squared length 2 / (6 pi) <u, w>^6, the rest lies along w."""
    target = parse_target("h4(z1)", 30, 0)
    W = torch.randn(50, 30, generator=generator_for(0, "W"), dtype=torch.float64)
    W /= W.norm(dim=1, keepdim=True)
    u = target.directions[:, 0]
    gradient = population_correlation(target, W)
    t = W @ u
    along_u = (gradient @ u - (gradient * W).sum(1) * t) / (1 - t**2)  # the coefficient of u in span(u, w)
    assert torch.allclose(along_u.square(), 2 / (6 * math.pi) * t**6, rtol=1e-6, atol=1e-18)


def test_predicted_overlap_at_its_ends():
    H = torch.zeros(9, 9, dtype=torch.float64)
    assert predicted_overlap(100, 9, H, 1.0) == 0
    H[0, 0] = math.sqrt(2)
    assert predicted_overlap(1e12, 9, H, 1.0) == pytest.approx(1)
    assert predicted_overlap(16 * 81, 9, H, 1.0) == pytest.approx(1 / (1 + math.pi / 64))


def test_degenerate_hessians_are_recognised_exactly():
    assert degenerate_hessian(parse_target(TWO, 9, 0)) is None
    assert "rank 0 while the target depends on 1 direction," in degenerate_hessian(parse_target("He3(z1)", 9, 0))
    assert "rank 1 while the target depends on 2" in degenerate_hessian(parse_target("h2(z1) + h3(z2)", 9, 0))
    almost = parse_target("He2(z1) + He2(z2)/10^9 + z2*z1", 9, 0)
    assert degenerate_hessian(almost) is None  # an exact test, not a numerical rank
    cancelled = parse_target("He2(z1) + 2*z1*z2 + He2(z2) + He3(z2)", 9, 0)  # (z1 + z2)^2 up to a constant
    assert "rank 1 while the target depends on 2" in degenerate_hessian(cancelled)
