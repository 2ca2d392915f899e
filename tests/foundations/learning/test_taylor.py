"""Taylor terms by forward mode against exact polynomials, nested reverse mode, and the closed form neuron by neuron."""

import math
from dataclasses import replace

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork
from beyond_kernel.foundations.learning.taylor import elementwise_derivatives, neuron_terms, taylor_terms
from beyond_kernel.kernel_regime.lazy_training import ScaledNetwork
from beyond_kernel.random_streams import generator_for

# torch scripts its rules for forward mode when it first needs them, and warns of that itself
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")

WIDTH, D, N = 5, 3, 6


def numbers(*shape, label):
    return torch.randn(*shape, generator=generator_for(0, label), dtype=torch.float64)


X = numbers(N, D, label="X")
W, DW, A, DA, B, DB = (
    numbers(*shape, label=label)
    for label, shape in [
        ("W", (WIDTH, D)), ("dW", (WIDTH, D)), ("a", (WIDTH,)), ("da", (WIDTH,)), ("b", (WIDTH,)), ("db", (WIDTH,)),
    ]
)  # fmt: skip


def pair(activation):
    return (ScaledNetwork(W, A, 2.0, activation), ScaledNetwork(W + DW, A + DA, 2.0, activation))


def test_a_square_ends_at_degree_three_and_the_terms_are_its_coefficients():
    """(a + t da) (u + t du)^2 has the coefficients a u^2, 2 a u du + da u^2, a du^2 + 2 da u du, da du^2."""
    start, end = pair("square")
    terms = taylor_terms(start, end, X, 4)
    u, du = X @ W.T, X @ DW.T
    by_hand = [u**2 @ A, 2 * u * du @ A + u**2 @ DA, du**2 @ A + 2 * u * du @ DA, du**2 @ DA, torch.zeros(N)]
    factor = 2 / WIDTH**0.5
    assert torch.allclose(terms, factor * torch.stack([row.double() for row in by_hand]), rtol=1e-10, atol=1e-12)
    assert torch.allclose(terms.sum(0), end(X), rtol=1e-10) and torch.equal(terms[0], start(X))


@pytest.mark.parametrize("activation", ["tanh", "erf", "sigmoid"])
def test_terms_are_those_of_nested_reverse_mode(activation):
    start, end = pair(activation)
    terms = taylor_terms(start, end, X, 4)
    function = torch.sigmoid if activation == "sigmoid" else getattr(torch, activation)
    for i, x in enumerate(X):
        t = torch.zeros((), dtype=torch.float64, requires_grad=True)
        value = 2 / WIDTH**0.5 * (function((W + t * DW) @ x) @ (A + t * DA))
        for k in range(5):
            assert float(terms[k, i]) == pytest.approx(float(value.detach()) / math.factorial(k), rel=1e-9, abs=1e-11)
            (value,) = torch.autograd.grad(value, t, create_graph=True)


@pytest.mark.parametrize("activation", [torch.tanh, torch.erf, torch.square])
def test_neuron_by_neuron_in_closed_form_is_the_oracle(activation):
    start, end = pair(activation)
    factor = 2 / WIDTH**0.5
    closed = neuron_terms(elementwise_derivatives(activation, 4), (X @ W.T, X @ DW.T), (factor * A, factor * DA))
    assert torch.allclose(closed, taylor_terms(start, end, X, 4), rtol=1e-9, atol=1e-11)


def test_derivatives_of_tanh_by_hand():
    """With t = tanh z: 1 - t^2, -2 t (1 - t^2), (1 - t^2) (6 t^2 - 2), (1 - t^2) (16 t - 24 t^3)."""
    z = torch.linspace(-2, 2, 9, dtype=torch.float64)
    t = torch.tanh(z)
    s = 1 - t**2
    found = elementwise_derivatives(torch.tanh, 4)
    assert len(found) == 5
    for derivative, by_hand in zip(
        found, [t, s, -2 * t * s, s * (6 * t**2 - 2), s * (16 * t - 24 * t**3)], strict=True
    ):
        assert torch.allclose(derivative(z), by_hand, rtol=1e-10, atol=1e-12)


def test_relu_neurons_that_stay_on_their_side_end_at_degree_two():
    """Active neurons move on straight lines: a w . x of degree two in t, the tangent term and one bend."""
    small = 0.1
    start = TwoLayerNetwork(W, A, B)
    inner = X @ W.T + B
    move = X @ (small * DW).T + small * DB
    kept = (inner.sign() == (inner + move).sign()).all(1)
    assert kept.sum() >= 3  # inputs at which no neuron changes its side
    end = TwoLayerNetwork(W + small * DW, A + small * DA, B + small * DB)
    terms, on = taylor_terms(start, end, X[kept], 3), (inner > 0).to(W)[kept]
    inner, move = inner[kept], move[kept]
    assert torch.allclose(terms[0], (on * inner) @ A)
    assert torch.allclose(terms[1], (on * move) @ A + (on * inner) @ (small * DA))
    assert torch.allclose(terms[2], (on * move) @ (small * DA), atol=1e-14) and terms[2].abs().max() > 1e-4
    assert not terms[3].any() and torch.allclose(terms.sum(0), end(X[kept]))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_what_is_left_after_an_order_falls_with_the_next_power_of_the_move(order):
    """Halving the move divides the gap by 2^(order + 1), up to the term after it."""
    start, _ = pair("tanh")
    gaps = []
    for size in (0.02, 0.01):
        end = replace(start, W=W + size * DW, a=A + size * DA)
        gaps.append(float((taylor_terms(start, end, X, order).sum(0) - end(X)).norm()))
    assert gaps[0] / gaps[1] == pytest.approx(2 ** (order + 1), rel=0.1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_precision_follows_the_network_and_nothing_changes_it(dtype):
    start, end = (replace(net, W=net.W.to(dtype), a=net.a.to(dtype)) for net in pair("tanh"))
    before = start.W.clone()
    terms = taylor_terms(start, end, X.to(dtype), 2)
    assert terms.dtype == dtype and terms.shape == (3, N) and torch.equal(start.W, before)
    assert taylor_terms(start, end, X.to(dtype), 0).shape == (1, N)
    # numbers of order one with rounding 6e-8
    assert torch.allclose(terms.double(), taylor_terms(*pair("tanh"), X, 2), atol=1e-5)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (TwoLayerNetwork(W, A, B), "end is a TwoLayerNetwork and start a ScaledNetwork: both must be the same"),
        (ScaledNetwork(W, A, 3.0, "tanh"), "scale is 2.0 at the start and 3.0 at the end"),
        (ScaledNetwork(W, A, 2.0, "erf"), "activation is .*'tanh'.* at the start and .*'erf'.* at the end"),
        (ScaledNetwork(W[:4], A[:4], 2.0, "tanh"), r"W has shape \(5, 3\) at the start and \(4, 3\) at the end"),
    ],
)
def test_networks_that_differ_otherwise_are_refused_with_a_sentence(other, told):
    with pytest.raises(BadParameter, match=told):
        taylor_terms(pair("tanh")[0], other, X, 1)


def test_other_bad_input_is_refused_with_a_sentence():
    with pytest.raises(BadParameter, match="order = -1"):
        taylor_terms(*pair("tanh"), X, -1)
    with pytest.raises(BadParameter, match="order = -1"):
        elementwise_derivatives(torch.tanh, -1)
    u = X @ W.T
    with pytest.raises(BadParameter, match="derivatives is empty"):
        neuron_terms([], (u, u), (A, DA))
    with pytest.raises(BadParameter, match=r"a has shape \(4,\): it must have shape \(5,\)"):
        neuron_terms([torch.tanh], (u, u), (A[:4], DA))
    with pytest.raises(BadParameter, match=r"du has shape \(6, 4\)"):
        neuron_terms([torch.tanh], (u, u[:, :4]), (A, DA))
