"""Hermite polynomials against numpy's, closed forms and adaptive quadrature."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.targets.hermite import (
    gaussian_panels,
    hermite,
    hermite_coefficients,
    hermite_table,
    relu_coefficients,
)

# Rounding of two recurrences of at most 30 steps on |x| <= 5, relative to the largest value: about 1e-14.
ROUNDING = 1e-12


def numpy_hermite(degree, x):
    return np.polynomial.hermite_e.hermeval(x, [0] * degree + [1]) / math.sqrt(math.factorial(degree))


@pytest.mark.parametrize("degree", [0, 1, 2, 3, 4, 7, 12, 30])
def test_hermite_is_numpys_divided_by_the_root_of_the_factorial(degree):
    x = torch.linspace(-5, 5, 101, dtype=torch.float64)
    expected = torch.from_numpy(numpy_hermite(degree, x.numpy()))
    assert (hermite(degree, x) - expected).abs().max() <= ROUNDING * expected.abs().max()


def test_the_first_polynomials_by_hand():
    x = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
    by_hand = [torch.ones(3), x, (x**2 - 1) / math.sqrt(2), (x**3 - 3 * x) / math.sqrt(6)]
    for k, expected in enumerate(by_hand):
        torch.testing.assert_close(hermite(k, x), expected.to(torch.float64), rtol=0, atol=ROUNDING)


def test_table_is_orthonormal_under_the_normal_law():
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)  # exact up to degree 79
    table = hermite_table(20, torch.from_numpy(nodes))
    gram = (table * torch.from_numpy(weights / weights.sum())) @ table.T
    # Sums of forty products of size up to 1e5 for the outermost nodes, each rounded: 1e-11 with room.
    torch.testing.assert_close(gram, torch.eye(21, dtype=torch.float64), rtol=0, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (2, 0)])
def test_shape_and_dtype_follow_the_input(dtype, shape):
    table = hermite_table(4, torch.zeros(shape, dtype=dtype))
    assert table.shape == (5, *shape) and table.dtype == dtype
    assert hermite(4, torch.zeros(shape, dtype=dtype)).shape == shape


def test_single_precision_agrees_with_double():
    x = torch.linspace(-4, 4, 81)
    single, double = hermite_table(12, x), hermite_table(12, x.double())
    # 12 steps, each with a relative rounding of 6e-8, and cancellation of terms up to 8 times the result.
    assert (single - double).abs().max() <= 1e-5 * double.abs().max()


def test_the_derivative_lowers_the_degree():
    x = torch.linspace(-3, 3, 31, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(hermite(7, x).sum(), x)
    torch.testing.assert_close(slope, math.sqrt(7) * hermite(6, x), rtol=1e-12, atol=1e-12)  # rounding


def test_coefficients_of_the_exponential():
    expected = [math.exp(0.5) / math.sqrt(math.factorial(k)) for k in range(11)]  # generating function at t = 1
    found = hermite_coefficients(torch.exp, 10)
    # The rule itself is exact here to rounding; the weights of 400 nodes carry about 1e-13.
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-10)


def test_coefficients_of_a_cube():
    expected = torch.tensor([0, 3, 0, math.sqrt(6), 0], dtype=torch.float64)  # z^3 = He_3 + 3 He_1
    torch.testing.assert_close(hermite_coefficients(lambda z: z**3, 4), expected, rtol=0, atol=1e-10)  # rounding


def test_coefficients_of_an_interval():
    def inside(z):
        return ((z > -0.5) & (z < 1.25)).double()

    found = hermite_coefficients(inside, 9, breakpoints=(1.25, -0.5))
    for k in range(10):
        exact, error = integrate.quad(lambda z, k=k: numpy_hermite(k, z) * math.exp(-z * z / 2), -0.5, 1.25)
        assert abs(float(found[k]) - exact / math.sqrt(2 * math.pi)) <= 1e-10 + error


def test_relu_coefficients_against_adaptive_quadrature():
    coefficients = relu_coefficients(12)
    for k in range(13):
        scale = math.sqrt(math.factorial(k))
        exact, error = integrate.quad(
            lambda z, k=k: z * numpy_hermite(k, z) * math.exp(-z * z / 2) / math.sqrt(2 * math.pi), 0, 20
        )
        assert abs(float(coefficients[k]) / scale - exact) <= 1e-9 + error


def test_relu_coefficients_by_the_book():
    root = math.sqrt(2 * math.pi)
    expected = torch.tensor([1 / root, 0.5, 1 / root, 0, -1 / root, 0, 3 / root], dtype=torch.float64)
    torch.testing.assert_close(relu_coefficients(6), expected, rtol=0, atol=1e-15)  # one rounding
    for shorter in range(6):
        assert torch.equal(relu_coefficients(shorter), relu_coefficients(6)[: shorter + 1])


def test_relu_by_quadrature_is_the_closed_form():
    factorials = torch.tensor([math.factorial(k) for k in range(11)], dtype=torch.float64)
    found = hermite_coefficients(torch.relu, 10, breakpoints=[0.0]) * factorials.sqrt()
    # 400 Gauss-Legendre nodes a side integrate the smooth pieces to rounding, times sqrt(10!) = 1905.
    torch.testing.assert_close(found, relu_coefficients(10), rtol=0, atol=1e-9)


def test_relu_expansion_keeps_all_energy():
    energies = [float(c) ** 2 / math.factorial(k) for k, c in enumerate(relu_coefficients(150))]
    # E relu^2 = 1/2; the energies fall like k^(-5/2), so beyond 150 about 150^(-3/2)/10 = 5e-5 is left.
    assert 0 < 0.5 - sum(energies) < 2e-4


@pytest.mark.parametrize("function", [torch.relu, torch.sign, torch.abs, lambda z: (z > 0.3).double()])
def test_a_kink_that_was_not_named_is_refused(function):
    with pytest.raises(BadParameter, match="not settled.*breakpoints"):
        hermite_coefficients(function, 6)


def test_a_function_that_is_too_wild_is_refused():
    with pytest.raises(BadParameter, match="nodes must be larger"):
        hermite_coefficients(lambda z: torch.cos(60 * z), 3, breakpoints=[0.0], nodes=8)


@pytest.mark.parametrize(
    ("function", "error", "phrase"),
    [
        (lambda z: z.log(), BadParameter, "not finite"),
        (lambda z: z[:-1], BadParameter, "shape"),
        (lambda z: z.sum(), BadParameter, "shape"),
        (lambda z: z.numpy(), TypeError, "ndarray"),
        (lambda z: 1.0, TypeError, "float"),
        (lambda z: z > 0, TypeError, "bool"),
    ],
)
def test_bad_functions_are_refused(function, error, phrase):
    with pytest.raises(error, match=phrase):
        hermite_coefficients(function, 3)


@pytest.mark.parametrize(
    "call",
    [
        lambda: hermite(-1, torch.zeros(2)),
        lambda: hermite(1.5, torch.zeros(2)),
        lambda: hermite_table(True, torch.zeros(2)),
        lambda: hermite_coefficients(torch.exp, -1),
        lambda: hermite_coefficients(torch.exp, 3, nodes=3),
        lambda: hermite_coefficients(torch.exp, 3, breakpoints=[float("nan")]),
        lambda: relu_coefficients(-1),
        lambda: relu_coefficients(301),
    ],
)
def test_arguments_out_of_range_are_refused(call):
    with pytest.raises(BadParameter):
        call()


@pytest.mark.parametrize("x", [1.0, torch.arange(3), np.zeros(3)])
def test_only_floating_tensors_are_accepted(x):
    with pytest.raises(TypeError, match="floating-point torch tensor"):
        hermite(2, x)


def test_panels_know_the_moments_and_both_sides_of_a_jump():
    """E z^8 = 105, and P(z > 1) whatever the function is at 1 itself, also between two edges a last bit apart."""
    for edges in (np.linspace(-12, 12, 25), [-12, -3, 1 - 1.2e-16, 1, 1, 1 + 2.3e-16, 12]):
        z, weights = gaussian_panels(edges, 60)
        assert z.shape == weights.shape == ((len(edges) - 1) * 60,)
        assert float(weights @ z**8) == pytest.approx(105, rel=1e-11)
        assert float(weights[z > 1].sum()) == pytest.approx(math.erfc(math.sqrt(0.5)) / 2, rel=1e-11)
