"""Activations are what their names say, callables are understood, and what cannot be used is refused with a reason."""

import math

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.kernel_regime.activations import ACTIVATIONS, Activation, activation_of, derivative_of

Z = torch.linspace(-4.03, 4.01, 101, dtype=torch.float64)


@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_derivative_is_the_difference_quotient(name):
    activation, h = activation_of(name), 1e-5
    quotient = (activation(Z + h) - activation(Z - h)) / (2 * h)
    # the quotient is exact to h^2 times a third derivative of at most 2, plus rounding / h
    assert torch.allclose(activation.derivative(Z), quotient, atol=1e-9)


@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_dtype_is_kept(name):
    activation = activation_of(name)
    for part in (activation, activation.derivative):
        single = part(Z.to(torch.float32))
        assert single.dtype == torch.float32
        assert torch.allclose(single.to(torch.float64), part(Z), rtol=1e-5, atol=1e-5)


def test_values_worked_by_hand():
    at_two = torch.tensor([2.0], dtype=torch.float64)
    expected = {
        "relu": 2.0,
        "erf": 0.9953222650189527,
        "tanh": 0.9640275800758169,
        "sigmoid": 1 / (1 + math.exp(-2)),
        "shifted sigmoid": 1 / (1 + math.exp(-1)),
        "softplus": math.log(1 + math.exp(2)),
        "gelu": 2 * 0.9772498680518208,
        "silu": 2 / (1 + math.exp(-2)),
        "sine": math.sin(2),
        "identity": 2.0,
        "square": 4.0,
    }
    assert set(expected) == set(ACTIVATIONS)
    for name, value in expected.items():
        assert float(activation_of(name)(at_two)) == pytest.approx(value, rel=1e-12)


def test_kinks_of_callables_are_found():
    """Kinks of the first and jumps of the second derivative; smooth functions have none, however steep."""
    assert activation_of(torch.abs).kinks == (0.0,)
    assert activation_of(torch.nn.functional.hardtanh).kinks == pytest.approx((-1, 1), abs=1e-9)
    assert activation_of(lambda z: torch.clamp(z - 0.37, min=0)).kinks == pytest.approx((0.37,), abs=1e-9)
    assert activation_of(torch.nn.functional.elu).kinks == pytest.approx((0,), abs=1e-9)  # only the second jumps
    for smooth in (torch.tanh, torch.nn.functional.silu, lambda z: torch.tanh(50 * z), lambda z: z**5):
        assert activation_of(smooth).kinks == ()


def test_callable_gets_its_derivative_by_automatic_differentiation():
    activation = activation_of(torch.nn.functional.mish)
    assert isinstance(activation, Activation) and activation_of(activation) is activation
    h = 1e-5
    quotient = (activation(Z + h) - activation(Z - h)) / (2 * h)
    assert torch.allclose(activation.derivative(Z), quotient, atol=1e-9)
    with torch.no_grad():  # also where gradients are switched off
        assert torch.allclose(derivative_of(torch.sin)(Z), Z.cos())


def with_a_jump(z):
    return torch.where(z > 1.25, z + 0.5, z)


def not_its_own_entry(z):
    return z - z.mean()


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ("rellu", "did you mean 'relu'"),
        (torch.sign, "'sign' jumps at z = 0"),
        (with_a_jump, r"jumps at z = 1\.25"),
        (torch.floor, "jumps"),
        (torch.exp, "grows faster than a polynomial"),
        (torch.cosh, "grows faster than a polynomial"),
        (lambda z: z * torch.exp(z.abs() / 8), "grows faster than a polynomial"),
        (lambda z: torch.exp(z**2), "not finite"),
        (torch.log, "not finite"),
        (lambda z: z.sum(), r"returned shape \(\)"),
        (not_its_own_entry, "mixes entries"),
        (lambda z: z.detach() ** 2, "cannot be differentiated"),
        (lambda z: z.sin().abs(), "more than 12 kinks"),
    ],
)
def test_bad_activation_is_refused_with_a_sentence(bad, sentence):
    with pytest.raises(BadParameter, match=sentence):
        activation_of(bad)


@pytest.mark.parametrize("bad", [3, None, lambda z: z.numpy(), lambda z: z > 0])
def test_what_is_no_function_of_tensors_is_refused(bad):
    with pytest.raises(TypeError, match="activation"):
        activation_of(bad)


def test_high_powers_do_not_grow_too_fast():
    assert activation_of(lambda z: z**9).kinks == ()
