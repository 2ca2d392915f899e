"""Heads that share what does not hang on labels are the heads of ``fit_head``, one target and one size at a time."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.inputs.laws import gaussian
from beyond_kernel.foundations.learning.heads import fit_head
from beyond_kernel.foundations.learning.networks import random_network
from beyond_kernel.foundations.learning.ridge import fit_ridge
from beyond_kernel.foundations.learning.samples import Sample, draw_matched_sample
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.shared_heads import fit_shared_ridge, frozen_features, nested_risks


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=generator_for(0, "drawn", *shape), dtype=torch.float64)


def brute_force(F: np.ndarray, y: np.ndarray, level: float) -> float:
    """Leave each row out in turn, solve the normal equations of the rest, and average the squared misses.

    The penalty per sample is that of all n rows, as the closed form has it: n penalty for n - 1 rows too.
    """
    n, penalty = len(F), len(F) * level * np.square(F).sum(1).mean()
    misses = []
    for i in range(n):
        rest = np.arange(n) != i
        gram = F[rest].T @ F[rest] + penalty * np.eye(F.shape[1])
        misses.append(y[i] - F[i] @ np.linalg.solve(gram, F[rest].T @ y[rest]))
    return float(np.square(misses).mean())


@pytest.mark.parametrize(("n", "m"), [(9, 14), (25, 6)], ids=["fewer samples", "fewer features"])
def test_left_out_errors_are_those_of_leaving_out(n, m):
    F, Y, levels = drawn(n, m), drawn(n, 3), (1e-3, 1e-2, 1e-1, 1.0)
    found = fit_shared_ridge(F, Y, levels)
    for column in range(3):
        losses = [brute_force(F.numpy(), Y[:, column].numpy(), level) for level in levels]
        assert float(found.losses[column]) == pytest.approx(min(losses), rel=1e-9)
        penalty = n * levels[int(np.argmin(losses))] * float(F.square().sum(1).mean())
        by_hand = np.linalg.solve((F.T @ F).numpy() + penalty * np.eye(m), (F.T @ Y[:, column]).numpy())
        assert np.allclose(found.coefficients[:, column], by_hand, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize(("n", "m"), [(12, 40), (60, 15)])
def test_column_by_column_it_is_ridge_regression(n, m, dtype):
    F, Y = drawn(n, m).to(dtype), drawn(n, 2).to(dtype)
    found = fit_shared_ridge(F, Y)
    assert found.coefficients.dtype == dtype
    for column in range(2):
        alone = fit_ridge(F, Y[:, column])
        exact = 1e-8 if dtype == torch.float64 else 2e-3
        assert torch.allclose(found.coefficients[:, column], alone.coefficients, atol=exact)
        assert float(found.losses[column]) == pytest.approx(alone.loss, rel=exact)


def test_nested_risks_are_those_of_separate_heads():
    """Two targets, three sizes, one of them above the width: each error is that of ``fit_head`` on the first N rows."""
    network = random_network(30, torch.eye(5, dtype=torch.float64), generator_for(1))
    tasks = [parse_target("h2(z1)", 5), parse_target("z1*z2", 5)]
    X, Z, sizes = gaussian(50, 5, generator_for(2)), gaussian(40, 5, generator_for(3)), [8, 20, 50]
    Y, truths = (torch.stack([task(points) for task in tasks], 1) for points in (X, Z))
    errors = nested_risks(frozen_features(network, Z), X, Y, truths, sizes)
    scales = set()
    for row in range(2):
        for column, size in enumerate(sizes):
            head = fit_head(Sample(X[:size], Y[:size, row]), network)
            scales.add(head.scale)
            alone = float((head(Z) - truths[:, row]).square().mean())
            assert float(errors[row, column]) == pytest.approx(alone, rel=1e-6)
    assert len(scales) > 1  # more than one scale is chosen, so that a mix-up would show


def test_bad_input_is_refused_with_a_sentence():
    network = random_network(6, torch.eye(3, dtype=torch.float64), generator_for(1))
    frozen, X = frozen_features(network, drawn(7, 3)), drawn(9, 3)
    with pytest.raises(BadParameter, match=r"sizes\[0\] = 10"):
        nested_risks(frozen, X, drawn(9, 2), drawn(7, 2), [10])
    with pytest.raises(BadParameter, match="Y has 8 rows: it must have 9"):
        fit_shared_ridge(X, drawn(8, 2))


def test_energy_spread_over_many_directions_ends_as_one_more_penalty():
    """A twentieth of the energy outside, 96 labels: over d = 10, 24, 80, 240, 640 ten seeds have .12 to .22 and stop.

    Outside of the subspace the Gram matrix tends to a multiple of the identity, so that the growth ends.
    """
    risks = {d: np.mean([np.log(_risk_beside(d, seed)) for seed in range(5)]) for d in (10, 80, 640)}
    first, second = np.diff(list(risks.values()))
    assert first > 0.2 and -0.05 < second < 0.8 * first


def _risk_beside(d: int, seed: int) -> float:
    """Random neurons in the plane with noise beside it; hidden coordinates are the same draws for every d."""
    target = parse_target("(z1*z2 + h2(z1)*z2)/sqrt(2)", d, seed).normalised()
    plane, stream = target.directions, generator_for(seed, "beside", d)
    inside = random_network(600, plane, generator_for(seed, "inside"))
    outside = gaussian(600, d, stream)
    outside = outside - outside @ plane @ plane.T
    lengths = inside.W.norm(dim=1, keepdim=True) / outside.norm(dim=1, keepdim=True)
    network = replace(inside, W=0.95**0.5 * inside.W + 0.05**0.5 * lengths * outside)
    X, Z = (
        draw_matched_sample(target, n, 0.0, generator_for(seed, "hidden", n), generator_for(seed, "rest", n, d)).X
        for n in (96, 1000)
    )
    frozen = frozen_features(network, Z)
    return float(nested_risks(frozen, X, target(X)[:, None], target(Z)[:, None], [96])[0, 0])
