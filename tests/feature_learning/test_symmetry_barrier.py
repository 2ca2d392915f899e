"""Correlations of neurons with orbit sums against explicit sums and against all signs and orders of the weights."""

import itertools
import math

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning import symmetry_barrier as sb
from beyond_kernel.feature_learning.orbits import group_generators, orbit_counts, orbit_labels, orbit_mean
from beyond_kernel.foundations.targets.walsh_hadamard import (
    cube_bits,
    cube_corners,
    energies_by_size,
    walsh_hadamard,
)

W, BIAS = torch.tensor([0.9, -0.4, 0.7, 0.2], dtype=torch.float64), 0.3


def orbit_parities(labels: torch.Tensor, d: int) -> torch.Tensor:
    """Return psi_O at all corners, one orbit a row, from products of coordinates."""
    X, bits = cube_corners(d), cube_bits(d)
    parities = torch.stack([X[:, bits[s].bool()].prod(1) for s in range(2**d)])
    rows = [parities[labels == label] for label in range(int(labels.max()) + 1)]
    return torch.stack([row.sum(0) / math.sqrt(len(row)) for row in rows])


def neuron(w: torch.Tensor) -> torch.Tensor:
    return torch.relu(cube_corners(4) @ w + BIAS)


@pytest.mark.parametrize("group", ["trivial", "cyclic", "dihedral", "pairs", "symmetric"])
def test_correlations_are_means_of_products_and_orbit_sums_are_orthonormal(group):
    labels = orbit_labels(group_generators(group, 4), 4)
    psi = orbit_parities(labels, 4)
    torch.testing.assert_close(psi @ psi.T / 16, torch.eye(len(psi), dtype=psi.dtype), rtol=0, atol=1e-14)
    h = neuron(W)
    expected = psi @ h / 16
    torch.testing.assert_close(sb.orbit_correlations(h, labels), expected, rtol=0, atol=1e-14)
    torch.testing.assert_close(psi @ orbit_mean(h, labels) / 16, expected, rtol=0, atol=1e-14)
    found = sb.mean_squares_by_size(expected, labels)
    sizes = [int(cube_bits(4)[labels == label][0].sum()) for label in range(len(psi))]
    for k in range(5):
        mine = [float(value) ** 2 for value, size in zip(expected, sizes, strict=True) if size == k]
        assert float(found[k]) == pytest.approx(sum(mine) / len(mine), rel=1e-12)


@pytest.mark.parametrize("group", ["trivial", "cyclic", "dihedral", "pairs", "symmetric"])
def test_the_means_are_those_over_all_signs_and_orders_of_the_weights(group):
    labels = orbit_labels(group_generators(group, 4), 4)
    squares, variances = [], []
    for order in itertools.permutations(range(4)):
        for signs in itertools.product([-1.0, 1.0], repeat=4):
            averaged = orbit_mean(neuron(W[list(order)] * torch.tensor(signs, dtype=W.dtype)), labels)
            squares.append(sb.orbit_correlations(averaged, labels).square())
            variances.append(averaged.var(correction=0))
    energies, counts = energies_by_size(walsh_hadamard(neuron(W))), orbit_counts(labels)
    variance = torch.stack(variances).mean()
    torch.testing.assert_close(sb.mean_variance(energies, counts), variance, rtol=1e-12, atol=0)
    means, cosines = torch.stack(squares).mean(0), sb.mean_cosines(energies, counts)
    sizes = torch.zeros(len(means), dtype=torch.long).scatter(0, labels, cube_bits(4).sum(1))
    torch.testing.assert_close(means / variance, cosines[sizes], rtol=1e-10, atol=1e-16)


def test_a_random_neuron_is_what_it_says_and_follows_its_activation():
    draws = [sb.random_neuron(name, 0.5, 5, torch.Generator().manual_seed(3)) for name in sb.ACTIVATIONS]
    assert all(draw.shape == (32,) and draw.dtype == torch.float64 for draw in draws)
    relu, tanh, sine, softplus = draws
    torch.testing.assert_close(relu, torch.atanh(tanh).clamp(min=0), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(torch.sin(torch.atanh(tanh)), sine, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(torch.log1p(torch.atanh(tanh).exp()), softplus, rtol=1e-9, atol=1e-12)


def test_the_weights_of_random_neurons_have_variance_one_over_d():
    """The energy of degree one of sin(<w, x>) for small w is |w|^2, in the mean 1 here; 400 draws leave 5 %."""
    generator = torch.Generator().manual_seed(0)
    scale = [sb.random_neuron("tanh", 0.0, 6, generator) for _ in range(400)]
    squared = [torch.atanh(values).square().mean() for values in scale]
    assert float(torch.stack(squared).mean()) == pytest.approx(1, abs=0.12)


def test_the_risk_of_remembering_is_that_of_all_possible_samples():
    labels = orbit_labels(group_generators("cyclic", 3), 3)
    f = orbit_mean(torch.tensor([1.0, 2, 0, 5, 1, -1, 3, 7], dtype=torch.float64), labels)
    for n in (0, 1, 2, 3):
        risks = []
        for sample in itertools.product(range(8), repeat=n):
            seen = {int(labels[corner]) for corner in sample}
            risks.append(sum(float(f[c]) ** 2 for c in range(8) if int(labels[c]) not in seen) / 8)
        expected = sum(risks) / len(risks) / float(f.square().mean())
        assert sb.remembering_risk(f, labels, n) == pytest.approx(expected, rel=1e-12)


def test_single_precision_follows_double():
    labels = orbit_labels(group_generators("cyclic", 4), 4)
    single = sb.orbit_correlations(neuron(W).float(), labels)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), sb.orbit_correlations(neuron(W), labels), rtol=0, atol=1e-6)
    energies = energies_by_size(walsh_hadamard(neuron(W).float()))
    assert sb.mean_cosines(energies, orbit_counts(labels)).dtype == torch.float32


def test_the_number_of_queries_is_that_of_the_argument():
    """With tolerance 1/2 a query rules out at most 4 of orthonormal targets: 1 + 4 q of them need q queries."""
    assert sb.queries_needed(1 + 4 * 7, 0.5) == 7
    assert sb.queries_needed(1, 0.1) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sb.random_neuron("rely", 0.0, 4, torch.Generator()), "did you mean 'relu'"),
        (lambda: sb.queries_needed(0, 0.1), "targets = 0"),
        (lambda: sb.queries_needed(3, 0.0), "tolerance = 0"),
        (lambda: sb.mean_variance(torch.ones(5), torch.ones(4, dtype=torch.long)), "counts has shape"),
        (lambda: sb.mean_squares_by_size(torch.ones(3), orbit_labels([], 3)), "correlations has shape"),
        (lambda: sb.remembering_risk(torch.ones(8), orbit_labels([], 3), -1), "n = -1"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(call, message):
    with pytest.raises(BadParameter, match=message):
        call()


def test_counts_that_are_no_whole_numbers_are_refused():
    with pytest.raises(TypeError, match="counts is of type"):
        sb.mean_cosines(torch.ones(5), torch.ones(5))
