"""The learners of a ball against brute force, least squares and Monte Carlo."""

import functools

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.escaping_the_kernel.clipped_neuron import ErfFeatures, draw_erf_features
from beyond_kernel.escaping_the_kernel.depth_separation import (
    CENTRES,
    GAINS,
    FrozenHead,
    best_polynomial_error,
    fit_clipped_head,
    fit_linear_head,
    fit_norm_stump,
    fit_turned_up,
    start_weights,
)
from beyond_kernel.foundations.inputs.balls import BallIndicator
from beyond_kernel.foundations.inputs.radial_inputs import two_spheres
from beyond_kernel.foundations.learning.held_out import split_fifth
from beyond_kernel.foundations.learning.samples import Problem, Sample, draw_problem
from beyond_kernel.random_streams import generator_for


def problem(n: int = 600, d: int = 4, law: str = "two spheres", radius: float = 2**0.5, dtype=torch.float64) -> Problem:
    return draw_problem(BallIndicator(d, radius, law), n, 0.0, 0, n_test=2000, dtype=dtype)


def error(predictor, given: Problem) -> float:
    return float((predictor(given.test.X) - given.test.y).square().mean())


def test_both_heads_have_the_same_features():
    given = problem()
    linear, clipped = (fit(given, generator_for(0, "n"), width=50) for fit in (fit_linear_head, fit_clipped_head))
    torch.testing.assert_close(linear.features.U, clipped.features.U)
    torch.testing.assert_close(linear.features.b, clipped.features.b)
    assert len(linear.w) == len(clipped.w) == 51


def test_predictions_by_hand():
    features = ErfFeatures(torch.zeros(1, 2).double(), torch.zeros(1).double())
    X = torch.ones(3, 2).double()
    w = torch.tensor([5.0, 1.5]).double()
    assert FrozenHead(features, w, clipped=False)(X).tolist() == [1.5] * 3
    assert FrozenHead(features, w, clipped=True)(X).tolist() == [1.0] * 3


def test_the_linear_head_is_ridge_regression_at_its_own_penalty():
    """Brute force: each of 40 samples is left out in turn, at each penalty; the least error must be the head's."""
    given = problem(40)
    head = fit_linear_head(given, generator_for(0, "n"), width=10)
    F, y = head.features(given.train.X), given.train.y
    scale, best = F.square().sum(1).mean(), None
    for exponent in range(-16, 3):
        penalty = scale * 10 ** (exponent / 2)
        misses = []
        for i in range(40):
            rows = torch.arange(40) != i
            gram = F[rows].T @ F[rows] + 40 * penalty * torch.eye(11).double()
            misses.append(float(F[i] @ torch.linalg.solve(gram, F[rows].T @ y[rows]) - y[i]))
        loss = float(np.square(misses).mean())
        if best is None or loss < best[0]:
            best = loss, torch.linalg.solve(F.T @ F + 40 * penalty * torch.eye(11).double(), F.T @ y)
    torch.testing.assert_close(head.w, best[1], rtol=1e-5, atol=1e-6)


def test_the_clipped_head_beats_the_linear_one():
    """At d = 4 and 1,500 labels the ratio is 0.35 to 0.46 at 20 seeds."""
    given = problem(1500)
    linear, clipped = (fit(given, generator_for(0, "n"), width=300) for fit in (fit_linear_head, fit_clipped_head))
    assert error(clipped, given) < 0.55 * error(linear, given)


def test_the_best_damping_is_kept_wherever_it_stands():
    """Of several candidates that one whose error on the held-out fifth is the least alone, first or last."""
    given = problem(300)
    generator = generator_for(0, "n")
    draw_erf_features(60, 4, generator)
    held_out = split_fifth(given.train, generator)[1]  # drawn after the features

    def held_out_error(*dampings: float) -> float:
        head = fit_clipped_head(given, generator_for(0, "n"), width=60, dampings=dampings)
        return float((head(held_out.X) - held_out.y).square().mean())

    alone = [held_out_error(damping) for damping in (1e-3, 1e-1, 10.0)]
    assert max(alone) > 1.2 * min(alone)
    assert held_out_error(1e-3, 1e-1, 10.0) == held_out_error(10.0, 1e-1, 1e-3) == min(alone)


def test_labels_of_the_held_out_fifth_move_no_weight():
    """With one candidate and one look only four fifths can matter."""
    given = problem(100)
    generator, y = generator_for(0, "n"), given.train.y.clone()
    draw_erf_features(20, 4, generator)
    held_out = torch.randperm(100, generator=generator)[:20]
    y[held_out] = 1 - y[held_out]
    other = Problem(Sample(given.train.X, y), given.test)
    options = {"width": 20, "dampings": [1e-2], "steps": 2}
    heads = [fit_clipped_head(p, generator_for(0, "n"), **options) for p in (given, other)]
    torch.testing.assert_close(heads[0].w, heads[1].w)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_heads_follow_the_precision(dtype):
    given = problem(400, dtype=dtype)
    for fit in (fit_linear_head, fit_clipped_head):
        found = fit(given, generator_for(0, "n"), width=40, constant=False)(given.test.X)
        assert found.dtype == dtype
    assert fit_norm_stump(given, generator_for(0))(given.test.X).dtype == dtype


def test_turning_up_is_the_best_of_the_grid_on_a_fifth():
    """A learner that returns a faint ramp: brute force over all pairs; it sees all points, then 40."""
    given, seen = problem(50), []

    def learner(one, generator):
        seen.append((len(one.train), float(torch.rand(1, generator=generator))))
        return lambda X: 0.6 - 0.1 * (X.square().sum(1) - 2)

    found = fit_turned_up(given, generator_for(0, "n"), learner)
    assert [size for size, _ in seen] == [50, 40] and seen[0][1] == seen[1][1]  # the same draws in both fits
    generator = generator_for(0, "n")
    torch.rand(1, generator=generator)  # what the learner draws comes before the split
    held_out = split_fifth(given.train, generator)[1]
    f, y = 0.6 - 0.1 * (held_out.X.square().sum(1) - 2), held_out.y
    losses = {
        (gain, centre): float(((0.5 + gain * (f - centre)).clamp(0, 1) - y).square().mean())
        for gain in GAINS for centre in CENTRES
    }  # fmt: skip
    assert found.gain > 1 and losses[found.gain, found.centre] == pytest.approx(min(losses.values()))
    values = 0.6 - 0.1 * (given.test.X.square().sum(1) - 2)
    expected = (0.5 + found.gain * (values - found.centre)).clamp(0, 1)
    torch.testing.assert_close(found(given.test.X), expected)


def test_turned_up_and_cut_a_linear_head_makes_up_most_of_the_way():
    """At d = 4 and 1,500 labels it gets at least half of what the clip in the loss gains (10 seeds)."""
    given, heads = problem(1500), []
    for fit in (fit_linear_head, fit_clipped_head):
        heads.append(error(fit(given, generator_for(0, "n"), width=200), given))
    up = fit_turned_up(given, generator_for(0, "n"), functools.partial(fit_linear_head, width=200))
    assert up.gain > 1.5 and heads[0] - error(up, given) > 0.5 * (heads[0] - heads[1])


def test_the_start():
    """w has standard deviation 1/m: 4,000 of them are off by 1 % (one standard error); the bias starts at 1/2."""
    w = start_weights(4000, generator_for(0, "start"))
    assert w[:-1].std().item() == pytest.approx(1 / 4000, rel=0.05) and w[-1] == 0.5
    assert len(start_weights(7, generator_for(0), constant=False)) == 7


def test_a_head_without_a_constant_has_none():
    given = problem(100)
    head = fit_linear_head(given, generator_for(0, "n"), width=20, constant=False)
    assert head.w.shape == (20,)
    torch.testing.assert_close(head.features.U, draw_erf_features(20, 4, generator_for(0, "n")).U)


def test_the_stump_is_the_best_of_all_steps():
    """Labels with mistakes in them: brute force over every threshold."""
    X = torch.randn(60, 2, generator=generator_for(0, "stump"), dtype=torch.float64)
    y = ((X.norm(dim=1) < 1) ^ (torch.rand(60, generator=generator_for(1, "stump")) < 0.2)).double()
    found = fit_norm_stump(Problem(Sample(X, y), problem().test), generator_for(0))
    norms, losses = X.norm(dim=1), []
    for threshold in norms.sort().values[:-1]:
        near = norms <= threshold
        losses.append(float((y - torch.where(near, y[near].mean(), y[~near].mean())).square().mean()))
    assert float((found(X) - y).square().mean()) == pytest.approx(min(losses))


def test_the_stump_errs_between_two_lengths_only():
    """n = 3,000: the gap at the edge holds 2/n of the inputs on average, half of them on the wrong side."""
    assert error(fit_norm_stump(problem(3000), generator_for(0)), problem(3000)) <= 0.002
    given = problem(3000, law="half heavy-tailed", radius=1.0)
    stump = fit_norm_stump(given, generator_for(0))
    assert (stump.inside, stump.outside) == (1.0, 0.0) and error(stump, given) <= 0.002


@pytest.mark.parametrize(("d", "degree", "exact"), [(4, 1, 0.070), (4, 3, 0.041), (8, 1, 0.0805), (8, 3, 0.0512)])
def test_best_polynomials_against_values_computed_elsewhere(d, degree, exact):
    """Three digits of an independent computation of the same quantity by another author (digest of the paper)."""
    assert best_polynomial_error(2**0.5, d, degree) == pytest.approx(exact, abs=3e-4)


def test_best_polynomials_in_closed_form():
    """d = 3: t is uniform. At radius sqrt(2) the best line to 1[t <= 0] is 1/2 - 3t/4, with error 1/16."""
    assert best_polynomial_error(2**0.5, 3, 1) == pytest.approx(1 / 4 - 3 / 16)
    assert best_polynomial_error(2**0.5, 3, 2) == pytest.approx(1 / 16)  # an odd function has no second degree
    assert best_polynomial_error(1.0, 3, 0) == pytest.approx(0.25 * 0.75)  # t <= -1/2 has the share 1/4


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_best_polynomials_are_least_squares_on_a_large_sample(degree):
    """200,000 draws: a mean of squares near 0.1 is off by 3e-4."""
    X = two_spheres(200_000, 6, generator_for(0, "large"))
    t = X.square().sum(1) / 2 - 1
    basis = torch.stack([t**k for k in range(degree + 1)], 1)
    y = (X.norm(dim=1) <= 1.3).double()[:, None]
    sampled = float((basis @ torch.linalg.lstsq(basis, y).solution - y).square().mean())
    assert best_polynomial_error(1.3, 6, degree) == pytest.approx(sampled, abs=1.5e-3)


def test_bad_arguments():
    with pytest.raises(BadParameter, match="shorter than 2"):
        best_polynomial_error(2.0, 4, 1)
    with pytest.raises(BadParameter, match="degree = 13"):
        best_polynomial_error(1.0, 4, 13)
    with pytest.raises(BadParameter, match="the sample has 4 points"):
        fit_clipped_head(problem(4), generator_for(0), width=4)
    with pytest.raises(BadParameter, match=r"dampings\[0\] = 0"):
        fit_clipped_head(problem(50), generator_for(0), width=4, dampings=[0.0])
    with pytest.raises(BadParameter, match="width = 0"):
        fit_linear_head(problem(50), generator_for(0), width=0)
    with pytest.raises(BadParameter, match="the sample has 1 point"):
        fit_norm_stump(problem(1), generator_for(0))
