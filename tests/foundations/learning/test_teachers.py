"""Teachers against sampling: mean 0 and variance 1 are exact, the directions are the span of the neurons."""

import math

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.inputs.laws import gaussian
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork
from beyond_kernel.foundations.learning.teachers import TeacherNetwork, relu_teacher
from beyond_kernel.random_streams import generator_for


@pytest.mark.parametrize(("neurons", "d"), [(1, 2), (2, 3), (3, 10), (4, 5), (7, 3)])
def test_mean_zero_and_variance_one_within_four_standard_errors(neurons, d):
    teacher = relu_teacher(neurons, d, seed=2)
    values = teacher(gaussian(100_000, d, generator_for(0, "x")))
    assert abs(float(values.mean())) < 4 / 100_000**0.5
    squares = values.square()
    assert abs(float(squares.mean()) - 1) < 4 * float(squares.std()) / 100_000**0.5
    assert teacher.variance == 1 and teacher.dim == d


@pytest.mark.parametrize(("neurons", "d", "rank"), [(1, 6, 1), (3, 6, 3), (6, 6, 6), (9, 4, 4)])
def test_directions_are_an_orthonormal_basis_of_the_span(neurons, d, rank):
    teacher = relu_teacher(neurons, d, seed=0)
    U, W = teacher.directions, teacher.network.W
    assert U.shape == (d, rank)
    assert torch.allclose(U.T @ U, torch.eye(rank, dtype=torch.float64), atol=1e-12)
    assert torch.allclose(W @ U @ U.T, W, atol=1e-12)
    X = gaussian(20, d, generator_for(1))
    assert torch.allclose(teacher(X), teacher(X @ U @ U.T), atol=1e-12)  # nothing outside matters


def test_repeated_and_opposite_neurons_count_once():
    w, v = gaussian(2, 5, generator_for(3))
    W = torch.stack([w, w, -w, v, w + v])
    teacher = TeacherNetwork(TwoLayerNetwork(W, torch.ones_like(W[:, 0]), torch.zeros_like(W[:, 0])), 0.0, 1.0)
    U = teacher.directions
    assert U.shape == (5, 2) and torch.allclose(W @ U @ U.T, W, atol=1e-12)


def test_neurons_are_unit_vectors_of_alternating_sign():
    network = relu_teacher(5, 4, seed=1).network
    assert torch.allclose(network.W.norm(dim=1), torch.ones(5, dtype=torch.float64))
    assert not network.b.any() and torch.allclose(network.a / network.a[0], torch.tensor([1.0, -1, 1, -1, 1]).double())


def test_one_neuron_by_hand():
    """relu(z) has mean 1 / sqrt(2 pi) and variance 1/2 - 1 / (2 pi)."""
    teacher = relu_teacher(1, 3, seed=0)
    X = gaussian(8, 3, generator_for(0))
    expected = torch.relu(X @ teacher.network.W[0]) - 1 / math.sqrt(2 * math.pi)
    assert torch.allclose(teacher(X), expected / math.sqrt(1 / 2 - 1 / (2 * math.pi)))


def test_single_precision_gives_single_precision_near_double():
    teacher = relu_teacher(3, 10, seed=0)
    X = gaussian(50, 10, generator_for(0))
    single = teacher(X.float())
    assert single.dtype == torch.float32
    assert torch.allclose(single.double(), teacher(X), atol=1e-5)  # ten terms of rounding 6e-8 each


def test_the_seed_decides():
    assert torch.equal(relu_teacher(3, 5, 1).network.W, relu_teacher(3, 5, 1).network.W)
    assert not torch.equal(relu_teacher(3, 5, 1).network.W, relu_teacher(3, 5, 2).network.W)


def test_bad_input_is_refused_with_a_sentence():
    with pytest.raises(BadParameter, match="neurons = 0"):
        relu_teacher(0, 5, 0)
    with pytest.raises(BadParameter, match="d = 1 is out of range: it must be a whole number of at least 2"):
        relu_teacher(2, 1, 0)
    with pytest.raises(BadParameter, match="seed = -1"):
        relu_teacher(2, 5, -1)
    with pytest.raises(BadParameter, match=r"X has shape \(2, 4\): it must have shape \(n, 5\)"):
        relu_teacher(2, 5, 0)(torch.ones(2, 4))
