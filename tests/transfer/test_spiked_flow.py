"""The mean flow against closed forms, against the gradient of the mean loss, and against many single steps."""

import math

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.spiked_chain import spiked_sgd
from beyond_kernel.transfer.spiked_flow import flow_labels, flow_paths, mean_change
from beyond_kernel.transfer.spiked_neuron import spiked_neuron, state_overlaps

F64 = torch.float64
STATE = torch.tensor([[0.6, 0.3]], dtype=F64)


def cubic_loss(a, b, theta, cosine):
    """Return the mean of (h3(W) - h3(U))^2 / 2 by Wick's rule for normal W, U, for states as points of the plane.

    With E W^2 = s, E U^2 = t and E W U = c, E h3(W) h3(U) = c^3 + 3/2 c (s - 1)(t - 1).
    """
    s, t = 1 + theta * a * a, 1 + theta * cosine**2
    c = b * torch.tensor(1 - cosine**2, dtype=F64).sqrt() + cosine * a * (1 + theta)

    def product(c, s, t):
        return c**3 + 1.5 * c * (s - 1) * (t - 1)

    return (product(s, s, s) - 2 * product(c, s, t)) / 2


@pytest.mark.parametrize(("theta", "cosine"), [(1.0, 0.45), (3.0, 0.8), (0.0, 0.3)])
def test_the_flow_is_the_gradient_of_the_mean_loss_along_the_sphere(theta, cosine):
    state = STATE[0].clone().requires_grad_()
    gradient = torch.autograd.grad(cubic_loss(*state, theta, cosine), state)[0]
    along = gradient - (gradient @ STATE[0]) * STATE[0]
    found = mean_change(spiked_neuron("h3(z1)", 50, theta, cosine), STATE)[0]
    torch.testing.assert_close(found, -along, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("text", "noise", "step"), [("h3(z1)", 0.0, 0.02), ("h2(z1) + z1", 0.8, 0.2)])
def test_one_step_of_many_neurons_moves_as_the_flow_says(text, noise, step):
    """Mean over 400,000 neurons of one step in d = 2,000; 5 standard errors, and the part of the noise is seen."""
    d, n = 2000, 400_000
    task = spiked_neuron(text, d, 1.0, 0.45, noise)
    rates = torch.full((n,), step / d, dtype=F64)
    after = spiked_sgd(task, STATE.repeat(n, 1), rates, [1], generator_for(0, text)).states[0]
    moved = (after - STATE) * d / step
    error = moved.std(0) / math.sqrt(n)
    found, without = mean_change(task, STATE, step=step)[0], mean_change(task, STATE)[0]
    assert ((moved.mean(0) - found).abs() < 5 * error).all()
    assert ((moved.mean(0) - without).abs() > 5 * error).any()


def test_the_flow_rests_at_the_direction_and_only_noise_moves_it_there():
    task = spiked_neuron("h3(z1)", 50, 1.0, 0.45)
    there = torch.tensor(task.direction)[None]
    assert float(mean_change(task, there, step=0.1).abs().max()) < 1e-9
    noisy = spiked_neuron("h3(z1)", 50, 1.0, 0.45, 1.0)
    assert float(state_overlaps(noisy, mean_change(noisy, there, step=0.1))) < -0.01


def test_a_linear_link_has_a_path_in_closed_form():
    """Without a spike and with f(z) = z, dm/dt = 1 - m^2 along the sphere: m = tanh(t + artanh m0)."""
    task = spiked_neuron("z1", 50, 0.0, 1.0)
    times = [0.0, 0.3, 1.0, 2.0]
    path = flow_paths(task, torch.tensor([[0.2, 0.0]], dtype=F64), times)[:, 0, 0].numpy()
    assert path == pytest.approx(np.tanh(np.array(times) + np.arctanh(0.2)), abs=1e-4)
    labels = float(flow_labels(task, torch.tensor([[0.2, 0.0]], dtype=F64), 1e-4, level=0.9))
    assert labels * 1e-4 == pytest.approx(np.arctanh(0.9) - np.arctanh(0.2), abs=0.02)  # noise 1e-4, times 0.01 apart


def test_a_chain_in_high_dimension_runs_along_the_flow():
    d, step, labels = 2000, 0.05, 8
    task = spiked_neuron("h2(z1)", d, 1.0, 0.6)
    start = torch.tensor([[0.9, 0.0]], dtype=F64)
    run = spiked_sgd(task, start.repeat(16, 1), torch.full((16,), step / d, dtype=F64), [labels * d], generator_for(1))
    expected = flow_paths(task, start, [0.0, step * labels], step=step)[-1]
    torch.testing.assert_close(run.states[0].mean(0), expected[0], rtol=0, atol=0.02)  # single ones differ by d^-1/2


def test_what_never_arrives_is_infinite_and_an_even_link_counts_both_sides():
    start = torch.tensor([[0.0, -0.9]], dtype=F64)
    assert math.isinf(float(flow_labels(spiked_neuron("h3(z1)", 50, 1.0, 0.6), start, 0.001)))
    assert math.isfinite(float(flow_labels(spiked_neuron("h2(z1)", 50, 1.0, 0.6), start, 0.01)))


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda task: mean_change(task, STATE, step=-1.0), "step = -1"),
        (lambda task: mean_change(task, torch.zeros(2, 3)), "states has shape"),
        (lambda task: flow_paths(task, STATE, [1.0, 0.5]), "ascending"),
        (lambda task: flow_paths(task, STATE, [1.0]), "times"),
        (lambda task: flow_labels(task, STATE, 0.0), "step = 0"),
        (lambda task: flow_labels(task, STATE, 0.1, level=1.0), "level = 1"),
    ],
)
def test_bad_values_end_in_one_sentence(call, named):
    with pytest.raises(BadParameter, match=named):
        call(spiked_neuron("he3", 9, 1.0, 0.4))


def test_single_precision_is_taken():
    task = spiked_neuron("he3", 9, 1.0, 0.4)
    torch.testing.assert_close(mean_change(task, STATE.float()), mean_change(task, STATE), rtol=1e-5, atol=1e-6)
