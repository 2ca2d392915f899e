"""The trained layer against autograd, torch's Adam and itself alone."""

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.escaping_the_kernel.trained_layer import (
    BATCH,
    Layers,
    draw_layers,
    fit_clipped_layer,
    fit_layer,
    fit_trained_layer,
    train_layers,
)
from beyond_kernel.foundations.inputs.balls import BallIndicator
from beyond_kernel.foundations.learning.held_out import split_fifth
from beyond_kernel.foundations.learning.samples import Problem, Sample, draw_problem
from beyond_kernel.random_streams import generator_for


def problem(n: int = 400, d: int = 3, dtype: torch.dtype = torch.float64) -> Problem:
    return draw_problem(BallIndicator(d, 2**0.5, "two spheres"), n, 0.0, 0, n_test=500, dtype=dtype)


def layers(activation: str, clipped: bool, count: int = 2, width: int = 5) -> Layers:
    """Return networks with a head, so that all gradients are there."""
    drawn = draw_layers(count, width, problem().train.X, generator_for(0, "net"), activation, clipped)
    a = torch.randn(count, width, 1, generator=generator_for(1, "net"), dtype=torch.float64)
    return Layers(drawn.W, drawn.b, 2 * a, drawn.c, activation, clipped)


@pytest.mark.parametrize("clipped", [False, True])
@pytest.mark.parametrize("activation", ["relu", "erf"])
def test_gradients_are_those_of_autograd(activation, clipped):
    train, drawn = problem(60).train, layers(activation, clipped)
    loose = [tensor.clone().requires_grad_() for tensor in drawn.weights]
    outputs = Layers(*loose, activation, clipped).outputs(train.X)
    assert outputs.shape == (2, 60)
    if clipped:
        assert float(((outputs > 0) & (outputs < 1)).double().mean()) < 0.9  # some samples are not heard
    (outputs - train.y).square().mean(1).sum().backward()
    for found, exact in zip(drawn.gradients(train.X, train.y), loose, strict=True):
        torch.testing.assert_close(found, exact.grad)


def test_outputs_by_hand():
    """One neuron: c + a relu(2 x - 1) / sqrt(1), clipped and not."""
    parts = [torch.tensor(value).double().reshape(1, 1, 1) for value in (2.0, -1.0, 0.5, 0.25)]
    X = torch.tensor([[0.0], [1.0], [2.0]]).double()
    assert Layers(*parts, "relu", False)(X).tolist() == [0.25, 0.75, 1.75]
    assert Layers(*parts, "relu", True)(X).tolist() == [0.25, 0.75, 1.0]


def test_the_output_is_divided_by_the_root_of_the_width():
    drawn = layers("erf", False, width=9)
    X = problem(20).train.X
    by_hand = torch.erf(X @ drawn.W[1] + drawn.b[1]) @ drawn.a[1] / 3 + drawn.c[1]
    torch.testing.assert_close(drawn.outputs(X)[1], by_hand[:, 0])


def test_training_is_torch_s_adam_with_a_falling_rate():
    """Same start, same batches; torch's optimiser is given each rate of the fall. The last look returns the end."""
    train = problem(300).train
    start = draw_layers(1, 4, train.X, generator_for(0, "net"), "erf", True)
    steps, stream = 12, generator_for(3, "batches")
    found = train_layers(
        start, train, Sample(train.X[:50], train.y[:50]), generator_for(3, "batches"), rates=[0.02], steps=steps
    )
    loose = [tensor.clone().requires_grad_() for tensor in start.weights]
    optimiser, best = torch.optim.Adam(loose, lr=0.02), None
    for step in range(steps):
        rows = torch.randint(300, (BATCH,), generator=stream)
        loss = (Layers(*loose, "erf", True).outputs(train.X[rows])[0] - train.y[rows]).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.param_groups[0]["lr"] = 0.02 * (1 - step / steps)
        optimiser.step()
        error = (Layers(*loose, "erf", True)(train.X[:50]) - train.y[:50]).square().mean().item()
        if best is None or error < best[0]:
            best = error, [tensor.detach().clone() for tensor in loose]
    for tensor, exact in zip(found.weights, best[1], strict=True):
        torch.testing.assert_close(tensor, exact, rtol=1e-6, atol=1e-9)
    assert float(start.a.abs().max()) == 0.0  # the start is left as it is


def test_the_best_rate_is_returned_not_the_first_nor_a_mean():
    """Rates 1e-9 and 0.03: the first moves nothing, so the second must be returned, as it would be alone."""
    train, held_out = split_fifth(problem().train, generator_for(1, "split"))
    run = {"generator": generator_for(5, "batches"), "steps": 60}
    pair = draw_layers(2, 20, train.X, generator_for(0, "net"))
    found = train_layers(pair, train, held_out, rates=[1e-9, 0.03], **run)
    alone = train_layers(pair.only(1), train, held_out, generator_for(5, "batches"), rates=[0.03], steps=60)
    torch.testing.assert_close(found(held_out.X), alone(held_out.X))
    assert float((found(held_out.X) - held_out.y).square().mean()) < 0.2


def test_held_out_samples_are_not_trained_on():
    """A network that could see the held-out fifth would learn labels that stand there alone."""
    sample = problem(100).train
    held = torch.randperm(100, generator=generator_for(0, "net"))[:20]  # the first draw of the learner
    y = sample.y.clone()
    y[held] = 5.0
    found = fit_layer(Problem(Sample(sample.X, y), problem().test), generator_for(0, "net"), clipped=False, steps=100)
    assert float(found(sample.X[held]).mean()) < 1.5


def test_the_clip_helps_and_both_learn():
    """At d = 3 and 1,500 labels: errors about 0.05 and 0.01 (12 seeds: ratio at most 0.5)."""
    given = problem(1500, dtype=torch.float32)
    errors = []
    for fit in (fit_trained_layer, fit_clipped_layer):
        found = fit(given, generator_for(0, "net"), steps=400)
        errors.append(float((found(given.test.X) - given.test.y).square().mean()))
        assert found(given.test.X).dtype == torch.float32
    assert errors[1] < 0.7 * errors[0] < 0.7 * 0.12


def test_bad_arguments():
    with pytest.raises(BadParameter, match="activation = 'tanh'"):
        draw_layers(1, 3, problem().train.X, generator_for(0), "tanh")
    with pytest.raises(BadParameter, match="width = 0"):
        fit_trained_layer(problem(), generator_for(0), width=0)
    with pytest.raises(BadParameter, match=r"rates\[0\] = 0"):
        fit_trained_layer(problem(), generator_for(0), rates=[0.0])
    with pytest.raises(BadParameter, match="the sample has 4 points"):
        fit_trained_layer(problem(4), generator_for(0))
    with pytest.raises(BadParameter, match="steps = 0"):
        fit_trained_layer(problem(), generator_for(0), steps=0)
