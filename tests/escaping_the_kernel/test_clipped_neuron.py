"""The clipped neuron against autograd, finite means and a descent worked out by hand."""

import math

import pytest
import torch
from scipy import integrate
from scipy.special import erf

from beyond_kernel.checks import BadParameter
from beyond_kernel.escaping_the_kernel.clipped_neuron import (
    ErfFeatures,
    clip,
    clipped_gradient,
    draw_erf_features,
    train_clipped_neuron,
    whitener,
)
from beyond_kernel.random_streams import generator_for


def features(n: int = 40, m: int = 7, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(n, m, generator=generator_for(0, "features"), dtype=torch.float64).to(dtype)


def labels(n: int = 40) -> torch.Tensor:
    return torch.randint(0, 2, (n,), generator=generator_for(0, "labels")).double()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_gradient_is_that_of_autograd(dtype):
    """Pre-activations lie below 0, between 0 and 1, and above 1, all three for some of 400 samples."""
    F, y = features(400, dtype=dtype), labels(400).to(dtype)
    w = torch.full((7,), 0.8, dtype=dtype, requires_grad=True)
    loss = (clip(F @ w + 0.0) - y).square().mean()
    loss.backward()
    found = clipped_gradient(F, y, w.detach())
    inner = F @ w.detach()
    assert min(float((inner < 0).double().mean()), float((inner > 1).double().mean()), found.active) > 0.1
    assert found.loss == pytest.approx(loss.item(), rel=1e-6)
    assert found.active == pytest.approx(float(((inner > 0) & (inner < 1)).double().mean()))
    torch.testing.assert_close(found.gradient, w.grad)


def test_features_are_error_functions_with_a_constant_at_the_end():
    drawn = ErfFeatures(torch.tensor([[0.5, -1.0]]).double(), torch.tensor([0.25]).double())
    row = drawn(torch.tensor([[2.0, 1.0]]).double())
    torch.testing.assert_close(row, torch.tensor([[float(erf(0.25)), 1.0]]).double())
    assert ErfFeatures(drawn.U, drawn.b, constant=False)(torch.ones(3, 2).double()).shape == (3, 1)
    assert drawn(torch.ones(3, 2)).dtype == torch.float32


def test_neurons_have_variance_one_quarter():
    """20,000 entries: a variance is off by 1 % (one standard error)."""
    drawn = draw_erf_features(20_000, 1, generator_for(0, "many"))
    assert drawn.U.var().item() == pytest.approx(0.25, rel=0.04)
    assert drawn.b.var().item() == pytest.approx(0.25, rel=0.04)


def test_a_feature_has_the_variance_of_its_inputs():
    """E erf(<u, x> + b)^2 at |x| = 1 by quadrature over the normal <u, x> + b of variance 1/2."""
    drawn = draw_erf_features(40_000, 3, generator_for(1, "many"), constant=False)
    x = torch.tensor([[0.6, 0.0, 0.8]]).double()
    exact = integrate.quad(lambda z: erf(z) ** 2 * math.exp(-(z**2)) / math.sqrt(math.pi), -9, 9)[0]
    assert drawn(x).square().mean().item() == pytest.approx(exact, rel=0.02)


def test_one_step_of_each_kind():
    """One feature 1, label 1, start 0.5: gradient -1; with rate 0.1, momentum 0.5 and metric 2, by hand."""
    one = torch.ones(1, 1).double()
    plain = train_clipped_neuron(one, one[0], 0.5 * one[0], rate=0.1, steps=2)
    assert plain.weights[:, 0].tolist() == pytest.approx([0.5, 0.6, 0.68])
    assert plain.losses.tolist() == pytest.approx([0.25, 0.16, 0.1024])
    heavy = train_clipped_neuron(one, one[0], 0.5 * one[0], rate=0.1, steps=2, momentum=0.5)
    assert heavy.weights[:, 0].tolist() == pytest.approx([0.5, 0.6, 0.6 + 0.1 * (0.5 * 1.0 + 0.8)])
    steep = train_clipped_neuron(one, one[0], 0.5 * one[0], rate=0.1, steps=1, metric=2 * one)
    assert steep.weights[-1].item() == pytest.approx(0.7)


def test_a_neuron_that_hears_nobody_stays():
    F = features().abs()
    path = train_clipped_neuron(F, labels(), torch.full((7,), -1.0).double(), rate=0.5, steps=3)
    assert path.active.tolist() == [0.0] * 4
    assert path.losses.tolist() == pytest.approx([float(labels().mean())] * 4)


def test_steps_descend_and_the_start_is_kept():
    F, y, start = features(), labels(), torch.full((7,), 0.1, dtype=torch.float64)
    path = train_clipped_neuron(F, y, start, rate=0.02, steps=50)
    assert float(path.losses[-1]) < 0.9 * float(path.losses[0])  # not at every step: the loss has kinks
    assert start.tolist() == [0.1] * 7 and path.weights.shape == (51, 7)


def test_the_whitener_turns_a_linear_step_into_least_squares():
    """Where every sample is heard, one whitened step of rate 1/2 from any start is ridge regression (damping to 0)."""
    F, y = 0.01 * features() + 0.1, 0.5 + 0.1 * labels()
    start = torch.full((7,), 0.5 / 0.7).double()
    path = train_clipped_neuron(F, y, start, rate=0.5, steps=1, metric=whitener(F, 1e-12))
    exact = torch.linalg.lstsq(F, y[:, None]).solution[:, 0]
    assert path.active[0] == 1.0
    torch.testing.assert_close(F @ path.weights[-1], F @ exact, rtol=1e-5, atol=1e-5)


def test_the_whitener_inverts_the_damped_second_moment():
    F = features()
    second = F.T @ F / 40
    damped = second + 0.3 * second.diagonal().mean() * torch.eye(7).double()
    torch.testing.assert_close(whitener(F, 0.3) @ damped, torch.eye(7).double())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rate": 0.0}, "rate = 0.0 is out of range"),
        ({"steps": -1}, "steps = -1"),
        ({"momentum": 1.5}, "momentum = 1.5"),
        ({"start": torch.ones(6).double()}, r"start has shape \(6,\)"),
        ({"y": torch.ones(3).double()}, r"y has shape \(3,\)"),
        ({"metric": torch.ones(6, 7).double()}, "it must be square"),
    ],
)
def test_bad_arguments(change, said):
    given = {"features": features(), "y": labels(), "start": torch.zeros(7).double(), "rate": 0.1, "steps": 1} | change
    with pytest.raises(BadParameter, match=said):
        train_clipped_neuron(given.pop("features"), given.pop("y"), given.pop("start"), **given)


def test_bad_features():
    with pytest.raises(BadParameter, match="damping"):
        whitener(features(), 0.0)
    with pytest.raises(BadParameter, match=r"b has shape \(2,\)"):
        ErfFeatures(torch.ones(3, 2), torch.ones(2))
    with pytest.raises(TypeError, match="features"):
        train_clipped_neuron([[1.0]], labels(1), torch.zeros(1), rate=0.1, steps=1)
