"""Online SGD of a two-layer network against autograd and the descent of the kit, and the start of the network."""

import itertools

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.network_sgd import BLOCK_STEPS, mean_field_start, network_sgd
from beyond_kernel.foundations.inputs.laws import sample_inputs
from beyond_kernel.foundations.learning.descent import descend
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for

TASK = parse_target("z1 + z1*z2", 5, seed=3)


def start(width: int = 6, d: int = 5, dtype: torch.dtype = torch.float64):
    return mean_field_start(width, d, generator_for(0, "start"), dtype)


def batches(law: str, size: int, dtype: torch.dtype = torch.float64):
    """Yield the batches that the training sees, in its order; Gaussian ones are drawn in single precision."""
    generator, n = generator_for(0, "samples"), BLOCK_STEPS * size
    for _ in itertools.count():
        normal = law == "gaussian"
        X = torch.randn(n, 5, generator=generator).to(dtype) if normal else sample_inputs(law, n, 5, generator, dtype)
        for part in X.split(size):
            yield part, TASK(part)


@pytest.mark.parametrize("law", ["hypercube", "gaussian"])
def test_the_steps_are_those_of_autograd(law):
    """f = mean of h relu(Wx + b), loss half the mean square; a mean-field step is m times the gradient."""
    network, width, rate, size = start(), 6, 0.3, 4
    weights = [network.W.clone(), network.a * width, network.b.clone()]
    for X, y in itertools.islice(batches(law, size), 9):
        W, h, b = (weight.detach().requires_grad_() for weight in weights)
        loss = 0.5 * ((torch.relu(X @ W.T + b) * h).mean(1) - y).square().mean()
        gradient = torch.autograd.grad(loss, [W, h, b])
        weights = [weight - rate * width * g for weight, g in zip((W, h, b), gradient, strict=True)]
    found = network_sgd(network, TASK, rate, size, 9, generator_for(0, "samples"), law=law)
    for name, expected in zip("Wab", (weights[0], weights[1] / width, weights[2]), strict=True):
        torch.testing.assert_close(getattr(found, name), expected.detach(), rtol=1e-12, atol=1e-12)


def test_the_rates_of_descend_that_the_docstring_names_give_the_same_across_blocks():
    width, rate, size, steps = 6, 0.2, 3, BLOCK_STEPS + 5
    rates = {"W": width * rate / 2, "b": width * rate / 2, "a": rate / (2 * width)}
    expected = descend(start(), batches("hypercube", size), rates, steps)
    found = network_sgd(start(), TASK, rate, size, steps, generator_for(0, "samples"))
    for name in "Wab":
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("law", ["hypercube", "gaussian"])
def test_single_precision_follows_double(law):
    results = []
    for dtype in (torch.float64, torch.float32):
        found = network_sgd(start(dtype=dtype), TASK, 0.2, 4, 20, generator_for(0, "samples"), law=law)
        assert found.W.dtype == dtype
        results.append(found.W.double())
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-5)


def test_the_start_has_the_moments_of_its_law_and_vanishes():
    d, width = 50, 4000
    network = mean_field_start(width, d, generator_for(1, "start"))
    half = width // 2
    assert torch.equal(network.W[:half], network.W[half:]) and torch.equal(network.b[:half], network.b[half:])
    assert torch.equal(network.a[:half], torch.full((half,), 1 / width, dtype=torch.float64))
    assert torch.equal(network.a[half:], -network.a[:half])
    assert abs(float(network.W[:half].square().mean()) * d - 1) < 5 * (2 / (half * d)) ** 0.5
    assert float(network.b.abs().max()) <= 0.5 and abs(float(network.b.square().mean()) - 1 / 12) < 0.005
    assert abs(float(network.b.mean())) < 5 / (12 * half) ** 0.5
    X = sample_inputs("hypercube", 100, d, generator_for(2))
    assert float(network(X).abs().max()) < 1e-12


def test_what_looks_on_is_called_in_time_and_can_end_the_training():
    seen, network = [], start()
    before = network.state_dict()

    def observe(taken, now):
        seen.append((taken, now))
        return taken == 6

    found = network_sgd(network, TASK, 0.2, 4, 100, generator_for(0, "samples"), every=2, observe=observe)
    assert [taken for taken, _ in seen] == [2, 4, 6]
    assert torch.equal(seen[-1][1].W, found.W) and not torch.equal(seen[0][1].W, found.W)
    assert all(torch.equal(network.state_dict()[name], before[name]) for name in "Wab")
    as_long = network_sgd(network, TASK, 0.2, 4, 6, generator_for(0, "samples"), every=100)
    assert torch.equal(as_long.W, found.W)


def test_calls_grow_rarer_with_a_share_of_the_steps_taken():
    """Every second step until the share of those taken, a quarter, is more: 8, then 10, 12.5 -> 14, 17.5 -> 18, ..."""
    seen = []
    network_sgd(
        start(), TASK, 0.2, 4, 31, generator_for(0, "samples"), every=2, share=0.25,
        observe=lambda taken, now: seen.append(taken) or False,
    )  # fmt: skip
    assert seen == [2, 4, 6, 8, 10, 14, 18, 24, 30]
    with pytest.raises(BadParameter, match="share = -1"):
        network_sgd(start(), TASK, 0.2, 4, 5, generator_for(0), share=-1.0)


def test_bad_input_is_a_sentence():
    generator = generator_for(0)
    with pytest.raises(BadParameter, match="rate = 0"):
        network_sgd(start(), TASK, 0.0, 4, 5, generator)
    with pytest.raises(BadParameter, match="batch = 0"):
        network_sgd(start(), TASK, 0.1, 0, 5, generator)
    with pytest.raises(BadParameter, match="law = 'cube' is not known"):
        network_sgd(start(), TASK, 0.1, 4, 5, generator, law="cube")
    with pytest.raises(BadParameter, match="width = 3 is odd"):
        mean_field_start(3, 5, generator)
    with pytest.raises(BadParameter, match="makes training diverge within 70 steps"):
        network_sgd(start(), TASK, 1e6, 4, 100, generator, every=70)
