"""Descent against torch's own: autograd for gradients, torch.optim.sgd for steps, on the same batches."""

import itertools
from dataclasses import fields, replace

import pytest
import torch
from torch.optim.sgd import sgd  # the class SGD does no more here, and loads a compiler for seconds

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.exponents.single_index import single_index
from beyond_kernel.foundations.learning.descent import descend, full_batch, mini_batches, online
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork
from beyond_kernel.foundations.learning.samples import Sample, draw_sample
from beyond_kernel.foundations.learning.tasks import task_from_arrays
from beyond_kernel.kernel_regime.lazy_training import ScaledNetwork
from beyond_kernel.random_streams import generator_for

D, WIDTH, N = 4, 6, 11
TASK = single_index("tanh", D, seed=1)
SAMPLE = draw_sample(TASK, N, 0.1, generator_for(0, "data"))


def start(kind, dtype=torch.float64):
    generator = generator_for(0, "start")
    shapes = [(WIDTH, D), (WIDTH,), (WIDTH,)]
    W, a, b = (torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes)
    return TwoLayerNetwork(W, a, b) if kind == "two layers" else ScaledNetwork(W, a, 2.0, kind)


def plain_loss(network, weights, X, y):
    """The loss written once more from the definitions, in operations that autograd follows."""
    W, a, b = (weights.get(name, getattr(network, name, None)) for name in ("W", "a", "b"))
    if b is not None:
        return (torch.relu(X @ W.T + b) @ a - y).square().mean()
    function = getattr(torch, network.activation.name)
    return (2.0 * function(X @ W.T) @ a / WIDTH**0.5 - y).square().mean()


def by_torch(network, batches, rates, steps, weight_decay=0.0):
    """Return the weights after torch's SGD, and before each step the loss and the gradients of autograd."""
    weights = {name: getattr(network, name).clone().requires_grad_() for name in rates}
    plain = {"momentum": 0, "dampening": 0, "nesterov": False, "maximize": False, "foreach": False}
    seen = []
    for X, y in itertools.islice(batches, steps):
        loss = plain_loss(network, weights, X, y)
        slopes = torch.autograd.grad(loss, list(weights.values()))
        seen.append((loss.detach(), dict(zip(weights, slopes, strict=True))))
        with torch.no_grad():
            for tensor, slope, rate in zip(weights.values(), slopes, rates.values(), strict=True):
                sgd([tensor], [slope], [None], lr=rate, weight_decay=weight_decay, **plain)
    return {name: tensor.detach() for name, tensor in weights.items()}, seen


KINDS = {
    "two layers": {"W": 0.05, "a": 0.03, "b": 0.02},
    **dict.fromkeys(["tanh", "erf", "relu"], {"W": 0.05, "a": 0.03}),
}


@pytest.mark.parametrize("weight_decay", [0.0, 0.7])
@pytest.mark.parametrize("size", [N, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_steps_are_those_of_torch_on_full_and_mini_batches(kind, size, weight_decay):
    network, rates = start(kind), KINDS[kind]

    def batches():
        return full_batch(SAMPLE.X, SAMPLE.y) if size == N else mini_batches(SAMPLE, size, generator_for(3, "order"))

    observed = []
    trained = descend(
        network, batches(), rates, 30, weight_decay=weight_decay,
        observe=lambda step, current, gradient: observed.append((step, gradient)),
    )  # fmt: skip
    expected, seen = by_torch(network, batches(), rates, 30, weight_decay)
    for name, tensor in expected.items():
        assert torch.allclose(getattr(trained, name), tensor, rtol=1e-10, atol=1e-12), name
        assert not torch.allclose(getattr(trained, name), getattr(network, name), atol=1e-3), name
    assert [step for step, _ in observed] == list(range(31))
    for (_, gradient), (loss, slopes) in zip(observed, seen, strict=False):
        assert torch.allclose(gradient.loss, loss, rtol=1e-10)
        for name, slope in slopes.items():
            assert torch.allclose(gradient.by_name[name], slope, rtol=1e-9, atol=1e-11), name


def test_the_last_observation_is_of_the_trained_network_on_the_last_batch():
    batches = list(itertools.islice(mini_batches(SAMPLE, 3, generator_for(3, "order")), 7))
    observed = []
    trained = descend(
        start("two layers"), batches, {"W": 0.1}, 7,
        observe=lambda step, current, gradient: observed.append((step, current(SAMPLE.X), gradient.loss)),
    )  # fmt: skip
    step, values, loss = observed[-1]
    X, y = batches[-1]
    assert step == 7 and torch.equal(values, trained(SAMPLE.X))
    assert torch.allclose(loss, (trained(X) - y).square().mean())


@pytest.mark.parametrize("moving", ["W", "a", "b"])
def test_only_the_named_weights_move_and_the_start_stays(moving):
    network = start("two layers")
    copy = replace(network, **{field.name: getattr(network, field.name).clone() for field in fields(network)})
    trained = descend(network, full_batch(SAMPLE.X, SAMPLE.y), {moving: 0.05}, 20, weight_decay=0.3)
    expected, _ = by_torch(network, full_batch(SAMPLE.X, SAMPLE.y), {moving: 0.05}, 20, 0.3)
    for name in ("W", "a", "b"):
        assert torch.equal(getattr(network, name), getattr(copy, name))
        assert torch.equal(getattr(trained, name), getattr(copy, name)) == (name != moving)
    assert torch.allclose(getattr(trained, moving), expected[moving], rtol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_single_precision_stays_single_and_near_double(kind):
    """20 steps of rounding 6e-8 in numbers of order one: 1e-5 leaves a factor of ten."""
    double = descend(start(kind), full_batch(SAMPLE.X, SAMPLE.y), KINDS[kind], 20, weight_decay=0.1)
    X, y = SAMPLE.X.float(), SAMPLE.y.float()
    single = descend(start(kind, torch.float32), full_batch(X, y), KINDS[kind], 20, weight_decay=0.1)
    for name in KINDS[kind]:
        assert getattr(single, name).dtype == torch.float32
        assert torch.allclose(getattr(single, name).double(), getattr(double, name), atol=1e-5)
    assert single(X).dtype == torch.float32


def test_no_steps_give_the_start_back():
    network = start("two layers")
    assert torch.equal(descend(network, full_batch(SAMPLE.X, SAMPLE.y), {"W": 1.0}, 0).W, network.W)


@pytest.mark.parametrize("size", [1, 4, N])
def test_each_epoch_is_a_permutation_and_their_orders_differ(size):
    marked = Sample(torch.arange(float(N))[:, None], torch.arange(float(N)))
    a_pass = -(-N // size)
    batches = list(itertools.islice(mini_batches(marked, size, generator_for(0, "order")), 3 * a_pass))
    epochs = [torch.cat([y for _, y in batches[k * a_pass : (k + 1) * a_pass]]) for k in range(3)]
    for epoch in epochs:
        assert sorted(epoch.tolist()) == list(range(N))
    assert not torch.equal(epochs[0], epochs[1]) and not torch.equal(epochs[1], epochs[2])
    assert all(torch.equal(X[:, 0], y) for X, y in batches)  # inputs go with their labels
    assert [len(y) for _, y in batches[:a_pass]] == [size] * (N // size) + [N % size] * bool(N % size)


def test_fresh_batches_never_repeat_and_follow_law_and_labels():
    batches = list(itertools.islice(online(TASK, 5, 0.25, generator_for(0, "online"), law="sphere"), 200))
    X, y = torch.cat([X for X, _ in batches]), torch.cat([y for _, y in batches])
    assert X.shape == (1000, D) and len(torch.unique(X, dim=0)) == 1000
    assert torch.allclose(X.norm(dim=1), torch.full((1000,), D**0.5, dtype=torch.float64))
    # 1,000 coordinates of variance 1 have a mean within 0.13 of zero at four standard errors
    assert X.mean(0).abs().max() < 0.13
    noise = y - torch.tanh(X @ TASK.directions[:, 0])
    assert torch.allclose(noise.abs(), torch.full_like(noise, 0.25))
    assert 410 < int((noise > 0).sum()) < 590  # 500 +- 16


def test_online_descent_is_torch_on_the_same_stream():
    def stream():
        return online(TASK, 4, 0.1, generator_for(7, "online"), dtype=torch.float64)

    trained = descend(start("two layers"), stream(), {"W": 0.05, "a": 0.05}, 25)
    expected, _ = by_torch(start("two layers"), stream(), {"W": 0.05, "a": 0.05}, 25)
    assert torch.allclose(trained.W, expected["W"], rtol=1e-10) and torch.allclose(trained.a, expected["a"], rtol=1e-10)
    assert next(online(TASK, 4, 0.1, generator_for(7, "online"), dtype=torch.float32))[0].dtype == torch.float32


def test_descent_takes_no_batch_more_than_it_has_steps():
    taken = []
    batches = (taken.append(k) or (SAMPLE.X, SAMPLE.y) for k in itertools.count())
    descend(start("two layers"), batches, {"a": 0.1}, 3)
    assert taken == [0, 1, 2]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"rates": {}}, "rates names no weights"),
        ({"rates": {"c": 0.1}}, "rates names 'c': TwoLayerNetwork has no weights of that name"),
        ({"rates": {"features": 0.1}}, "rates names 'features'"),
        ({"rates": {"W": 0.0}}, r"rates\['W'\] = 0.0 is out of range: it must be a finite number above 0"),
        ({"rates": {"W": float("nan")}}, r"rates\['W'\] = nan"),
        ({"weight_decay": -1.0}, "weight_decay = -1.0"),
        ({"steps": -1}, "steps = -1"),
        ({"steps": 2.0}, "steps = 2.0"),
        ({"steps": 3}, "batches ran out after 2 of 3 steps"),
        ({"rates": {"W": 1e3, "a": 1e3}, "steps": 40}, r"rates = \{W: 1000, a: 1000\} make training diverge within 40"),
    ],
)
def test_what_does_not_fit_ends_in_a_sentence(change, told):
    call = {"rates": {"W": 0.1}, "steps": 2} | change
    batch = SAMPLE.X, SAMPLE.y
    batches = itertools.repeat(batch) if call["steps"] == 40 else [batch, batch]
    network = start("two layers")
    with pytest.raises(BadParameter, match=told):
        descend(network, batches, **call)
    assert torch.equal(network.W, start("two layers").W)


def test_batches_that_cannot_be_made_are_refused_at_once():
    for size in (0, N + 1):
        with pytest.raises(BadParameter, match=f"size = {size}"):
            mini_batches(SAMPLE, size, generator_for(0))
    with pytest.raises(BadParameter, match="size = 0"):
        online(TASK, 0, 0.1, generator_for(0))


def test_arrays_are_no_endless_source():
    with pytest.raises(BadParameter, match="take mini_batches"):
        online(task_from_arrays(torch.ones(5, 2), torch.ones(5)), 2, 0.0, torch.Generator())
