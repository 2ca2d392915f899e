"""The experiments on what low rank is worth find what is known in easy cases, and what a run by hand has."""

import math

import pytest
import torch
from torch.nn.functional import leaky_relu

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.implicit_low_rank import train_in_span
from beyond_kernel.feature_learning.low_rank_label_cells import axes_cell, flips_cell, labels_cell
from beyond_kernel.foundations.targets.hidden_directions import drawn_directions
from beyond_kernel.random_streams import generator_for

NETWORK = {"width": 20, "size": 1e-3, "leak": 0.3, "rate": 1.0}


def test_few_dimensions_find_the_target_and_many_do_not():
    """A network of stable rank two in both; only with n far above d^2 are they the directions of the target."""
    options = NETWORK | {"target": "z1*z2", "width": 60, "leak": 0.2, "steps": 600, "n_test": 1000, "seed": 0}
    few, many = labels_cell(d=4, n=400, **options), labels_cell(d=1000, n=40, **options)
    assert few["network"] < 0.1 and few["share"] > 0.9 and few["line"] > 0.35
    assert many["errors"] == 0 and many["network"] > 0.4 and many["share"] < 0.1
    assert max(few["rank"], many["rank"]) < 2.5


def test_the_share_in_hidden_directions_of_an_untrained_network_is_their_number_over_d():
    found = labels_cell("z1*z2", 20, 10, **NETWORK | {"size": 1e3, "width": 200}, steps=1, n_test=10, seed=0)
    assert found["share"] == pytest.approx(2 / 20, rel=0.15)


def test_a_line_is_learnt_by_all():
    found = labels_cell("z1", 5, 300, **NETWORK, steps=300, n_test=2000, seed=0)
    assert max(found["network"], found["kernel"], found["line"]) < 0.1


def test_flipped_labels_are_fitted_and_their_number_is_right():
    """On far apart clusters in two dimensions nobody can fit the flips: errors on the sample are their share."""
    far = flips_cell(2, 400, 0.2, 30.0, **NETWORK | {"leak": 1.0}, steps=100, n_test=500, seed=0)
    assert far["errors"] == pytest.approx(0.2, abs=4 * 0.02)
    assert far["average"] == far["network"] == far["line"] == 0 and math.isnan(far["margin"])
    wide = flips_cell(1000, 20, 0.2, 8.0, **NETWORK, steps=500, n_test=500, seed=0)
    assert wide["errors"] == 0 and wide["network"] < 0.15 and wide["margin"] < 0.15


def test_errors_are_counted_on_labels_without_flips():
    """The average of many samples classifies as well as anybody can: with chance Phi(-distance) of an error."""
    found = flips_cell(2, 600, 0.2, 1.0, **NETWORK, steps=1, n_test=4000, seed=0)
    best = 0.5 * math.erfc(1 / math.sqrt(2))
    assert found["average"] == pytest.approx(best, abs=4 * math.sqrt(best * (1 - best) / 4000) + 2e-3)


def clusters(n: int, d: int, distance: float, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw two clusters as ``flips_cell`` does: Gaussian inputs, then sides."""
    X = torch.randn(n, d, generator=generator, dtype=torch.float64)
    y = 2.0 * torch.randint(2, (n,), generator=generator) - 1
    return X + distance * y[:, None] * drawn_directions(d, 1, 0)[:, 0], y.double()


def test_flips_are_those_of_a_sample_drawn_by_hand():
    """Average and network see the flipped labels only, and are judged on 300 fresh points without flips."""
    generator = generator_for(5, "flips", 40, 20)
    (X, clean), (fresh, truth) = (clusters(count, 40, 1.5, generator) for count in (20, 300))
    y = torch.where(torch.rand(20, generator=generator, dtype=torch.float64) < 0.3, -clean, clean)
    start = 1e-3 / math.sqrt(40) * torch.randn(20, 40, generator=generator, dtype=torch.float64)
    W = train_in_span(start, X, y, 0.3, 1.0, [200]).weights[0]
    found = flips_cell(40, 20, 0.3, 1.5, **NETWORK, steps=200, n_test=300, seed=5)
    f = leaky_relu(fresh @ W.T, 0.3)
    assert found["network"] == pytest.approx(
        float(((f[:, :10].sum(1) - f[:, 10:].sum(1)) * truth <= 0).double().mean())
    )
    wrong, seen = (float((fresh @ (X.T @ labels) * truth <= 0).double().mean()) for labels in (y, clean))
    assert found["average"] == pytest.approx(wrong) and wrong != seen


def test_on_two_axes_the_network_is_at_chance():
    """A kernel of degree two finds the axis; on one axis less, distance 0, nobody finds anything."""
    options = {"d": 2000, "n": 20, "steps": 500, "n_test": 500} | NETWORK | {"leak": 0.2}
    found = axes_cell(distance=12.0, **options, seed=1)
    assert found["errors"] == 0 and found["agreement"] > 0.97
    assert abs(found["network"] - 0.5) < 0.1 and found["quadratic"] < 0.05 and found["third"] < 0.3
    nothing = axes_cell(distance=0.0, **options, seed=1)
    assert min(nothing["network"], nothing["quadratic"], nothing["kernel"]) > 0.4


def test_in_three_dimensions_every_axis_is_learnt():
    """With many samples a network of leaky units bends its boundary, and both kernels do."""
    found = axes_cell(3, 200, 6.0, **NETWORK, steps=1000, n_test=500, seed=0)
    assert max(found["network"], found["quadratic"], found["kernel"]) < 0.05 and found["agreement"] < 0.9


def test_bad_input_is_a_sentence():
    with pytest.raises(BadParameter, match="flips = 0.7"):
        flips_cell(5, 10, 0.7, 1.0, **NETWORK, steps=1, seed=0)
    with pytest.raises(BadParameter, match="distance = -1"):
        axes_cell(5, 10, -1.0, **NETWORK, steps=1, seed=0)
