"""Networks with shared weights and their SGD against autograd, ``network_sgd``, explicit shifts and given parities."""

import itertools
import math

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.network_sgd import mean_field_start, network_sgd
from beyond_kernel.feature_learning.shared_weights import (
    BLOCK_STEPS,
    Diverged,
    OrbitParity,
    SharedNetwork,
    input_views,
    parity_network,
    shared_sgd,
)
from beyond_kernel.foundations.inputs.laws import hypercube
from beyond_kernel.foundations.inputs.targets_and_inputs import on_axes
from beyond_kernel.foundations.targets.walsh_hadamard import cube_corners
from beyond_kernel.random_streams import generator_for

WIDTH = 6


def start(sharing: str, d: int = 5, dtype: torch.dtype = torch.float64) -> SharedNetwork:
    inputs = 1 if sharing == "symmetric" else d
    return SharedNetwork(mean_field_start(WIDTH, inputs, generator_for(0, "start"), dtype), sharing)


def shifted(X: torch.Tensor) -> list[torch.Tensor]:
    return [X.roll(-g, dims=1) for g in range(X.shape[1])]


def by_hand(sharing: str, X: torch.Tensor, W: torch.Tensor, h: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return f from its definition, shift by shift."""
    if sharing == "symmetric":
        views = [X.sum(1, keepdim=True) / math.sqrt(X.shape[1])]
    else:
        views = shifted(X) if sharing == "cyclic" else [X]
    return sum((torch.relu(view @ W.T + b) * h).mean(1) for view in views) / math.sqrt(len(views))


@pytest.mark.parametrize("sharing", ["plain", "cyclic", "symmetric"])
def test_the_network_is_what_its_definition_says_and_does_not_see_its_group(sharing):
    network, X = start(sharing), hypercube(20, 5, generator_for(1, "X"))
    network = SharedNetwork(mean_field_start(2 * WIDTH, network.network.W.shape[1], generator_for(2, "start")), sharing)
    inner = network.network
    torch.testing.assert_close(network(X), by_hand(sharing, X, inner.W, inner.a * len(inner.a), inner.b))
    moved = {"plain": X, "cyclic": X.roll(2, dims=1), "symmetric": X[:, [3, 0, 4, 2, 1]]}[sharing]
    torch.testing.assert_close(network(moved), network(X), rtol=0, atol=1e-14)


@pytest.mark.parametrize("sharing", ["plain", "cyclic", "symmetric"])
def test_the_steps_are_those_of_autograd(sharing):
    network, rate, size, target = start(sharing), 0.3, 4, OrbitParity((0, 1), sharing, 5)
    weights = [network.network.W.clone(), network.network.a * WIDTH, network.network.b.clone()]
    X = hypercube(BLOCK_STEPS * size, 5, generator_for(0, "samples"))
    for part in X.split(size)[:9]:
        W, h, b = (weight.detach().requires_grad_() for weight in weights)
        loss = 0.5 * (by_hand(sharing, part, W, h, b) - target(part)).square().mean()
        gradient = torch.autograd.grad(loss, [W, h, b])
        weights = [weight - rate * WIDTH * g for weight, g in zip((W, h, b), gradient, strict=True)]
    found = shared_sgd(network, [target], rate, size, 9, generator_for(0, "samples")).network
    for name, expected in zip("Wab", (weights[0], weights[1] / WIDTH, weights[2]), strict=True):
        torch.testing.assert_close(getattr(found, name), expected.detach(), rtol=1e-12, atol=1e-12)


def test_copies_are_all_shifts_of_a_sample_in_one_step():
    """Against autograd on the mean over d shifts of each sample, written out; the samples themselves stay the same."""
    network, rate, size, target = start("plain"), 0.3, 4, OrbitParity((0, 1), "cyclic", 5)
    weights = [network.network.W.clone(), network.network.a * WIDTH, network.network.b.clone()]
    X = hypercube(BLOCK_STEPS * size, 5, generator_for(0, "samples"))
    for part in X.split(size)[:9]:
        W, h, b = (weight.detach().requires_grad_() for weight in weights)
        errors = [by_hand("plain", part.roll(g, dims=1), W, h, b) - target(part) for g in range(5)]
        gradient = torch.autograd.grad(0.5 * torch.cat(errors).square().mean(), [W, h, b])
        weights = [weight - rate * WIDTH * g for weight, g in zip((W, h, b), gradient, strict=True)]
    found = shared_sgd(network, [target], rate, size, 9, generator_for(0, "samples"), copies=True).network
    for name, expected in zip("Wab", (weights[0], weights[1] / WIDTH, weights[2]), strict=True):
        torch.testing.assert_close(getattr(found, name), expected.detach(), rtol=1e-12, atol=1e-12)


def test_to_a_network_that_shares_its_weights_copies_tell_nothing():
    runs = [
        shared_sgd(
            start("cyclic"), [OrbitParity((0, 2), "cyclic", 5)], 0.2, 4, 20, generator_for(0, "s"), copies=each
        ).network.W
        for each in (False, True)
    ]
    torch.testing.assert_close(*runs, rtol=1e-10, atol=1e-12)


def test_without_sharing_it_is_network_sgd_across_blocks():
    steps = BLOCK_STEPS + 3
    expected = network_sgd(start("plain").network, on_axes("z1*z2 + z3", 5), 0.2, 3, steps, generator_for(0, "samples"))
    targets = [OrbitParity((0, 1), "plain", 5), OrbitParity((2,), "plain", 5)]
    found = shared_sgd(start("plain"), targets, 0.2, 3, steps, generator_for(0, "samples")).network
    for name in "Wab":
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), rtol=1e-10, atol=1e-12)


def test_single_precision_follows_double_and_the_start_stays():
    results = []
    for dtype in (torch.float32, torch.float64):
        begin = start("cyclic", dtype=dtype)
        before = begin.network.W.clone()
        found = shared_sgd(begin, [OrbitParity((0, 2), "cyclic", 5)], 0.2, 4, 20, generator_for(0, "samples"))
        assert found.network.W.dtype == dtype and torch.equal(begin.network.W, before)
        results.append(found.network.W.double())
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-5)


def test_training_ends_where_the_observer_says_so():
    seen = []

    def observe(taken, look):
        seen.append((taken, look().network.W.clone()))
        return taken == 3

    end = shared_sgd(
        start("cyclic"), [OrbitParity((0,), "cyclic", 5)], 0.2, 4, 9, generator_for(0, "s"), observe=observe
    )
    assert [taken for taken, _ in seen] == [1, 2, 3] and torch.equal(seen[-1][1], end.network.W)


@pytest.mark.parametrize("sharing", ["plain", "cyclic", "symmetric"])
@pytest.mark.parametrize("support", [(0,), (0, 3), (0, 1, 2), (1, 2, 4, 5)])
def test_targets_are_sums_over_the_orbit_of_mean_square_one(sharing, support):
    X, target = cube_corners(6), OrbitParity(support, sharing, 6)
    moves = {
        "plain": [tuple(range(6))],
        "cyclic": [tuple((i + g) % 6 for i in range(6)) for g in range(6)],
        "symmetric": list(itertools.permutations(range(6))),
    }[sharing]
    orbit = {frozenset(move[i] for i in support) for move in moves}
    expected = sum(X[:, list(places)].prod(1) for places in orbit) / math.sqrt(len(orbit))
    torch.testing.assert_close(target(X), expected, rtol=0, atol=1e-13)
    assert float(target(X).square().mean()) == pytest.approx(1, rel=1e-13)


def test_a_set_that_a_shift_carries_to_itself_counts_once():
    """Of opposite places there are three in six, not six."""
    X = cube_corners(6)
    expected = (X[:, 0] * X[:, 3] + X[:, 1] * X[:, 4] + X[:, 2] * X[:, 5]) / math.sqrt(3)
    torch.testing.assert_close(OrbitParity((0, 3), "cyclic", 6)(X), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("support", [(2,), (0, 3), (0, 1, 4), (0, 1, 2, 3), (0, 1, 2, 3, 4)])
@pytest.mark.parametrize("width", [6, 20])
def test_the_given_weights_are_the_parity_and_shared_they_are_the_orbit_parity(support, width):
    X, network = cube_corners(7), parity_network(support, 7, width)
    torch.testing.assert_close(network(X), X[:, list(support)].prod(1), rtol=0, atol=1e-12)
    shared = SharedNetwork(network, "cyclic")
    torch.testing.assert_close(shared(X), OrbitParity(support, "cyclic", 7)(X), rtol=0, atol=1e-11)


def test_views_are_shifts_and_sums():
    X = hypercube(3, 4, generator_for(0, "views"))
    torch.testing.assert_close(input_views(X, "cyclic"), torch.stack(shifted(X), dim=1))
    assert input_views(X, "plain").shape == (3, 1, 4)
    torch.testing.assert_close(input_views(X, "symmetric")[:, 0, 0], X.sum(1) / 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: OrbitParity((0, 0), "cyclic", 4), "twice"),
        (lambda: OrbitParity((0, 4), "cyclic", 4), r"support\[1\] = 4"),
        (lambda: OrbitParity((), "plain", 4), "support = "),
        (lambda: OrbitParity((0,), "cyclc", 4), "did you mean 'cyclic'"),
        (lambda: parity_network((0, 1, 2), 4, 3), "width = 3"),
        (lambda: shared_sgd(start("plain"), [], 0.1, 4, 2, torch.Generator()), "targets is empty"),
        (lambda: shared_sgd(start("plain"), [], 0, 4, 2, torch.Generator()), "rate = 0"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(call, message):
    with pytest.raises(BadParameter, match=message):
        call()


def test_a_rate_that_is_too_large_is_told():
    with pytest.raises(Diverged, match="rate = 1000 makes training diverge"):
        shared_sgd(start("cyclic"), [OrbitParity((0, 1), "cyclic", 5)], 1000, 4, 200, generator_for(0, "s"))
