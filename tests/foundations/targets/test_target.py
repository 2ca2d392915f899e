"""Targets against plain formulas, quadrature, automatic derivatives and invariances."""

import itertools
import math

import numpy as np
import pytest
import sympy
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.inputs.laws import gaussian
from beyond_kernel.foundations.targets.target import Target, TargetError, parse_target
from beyond_kernel.random_streams import generator_for

DIM = 7
ROUNDING = 1e-11  # double precision on polynomials whose values and coefficients stay below 1e4

FORMULAS = {
    "He2(z1)/2 + He4(z1)/sqrt(48)": lambda z: (z[0] ** 2 - 1) / 2 + (z[0] ** 4 - 6 * z[0] ** 2 + 3) / 48**0.5,
    "(h2(z1) - h2(z2) + h2(z1)*h2(z2) + h3(z1))/2": lambda z: (
        (z[0] ** 2 - z[1] ** 2) / 8**0.5 + (z[0] ** 2 - 1) * (z[1] ** 2 - 1) / 4 + (z[0] ** 3 - 3 * z[0]) / 24**0.5
    ),
    "(h2(z1) + z2*z3 + z1*z2*z3)/sqrt(3)": lambda z: (
        ((z[0] ** 2 - 1) / 2**0.5 + z[1] * z[2] + z[0] * z[1] * z[2]) / 3**0.5
    ),
    "(z1 + 2*z2)^3 - z2 + 1": lambda z: (z[0] + 2 * z[1]) ** 3 - z[1] + 1,
    "z1*z2^2*z3 - 0.5*z3^4 + sqrt(2)": lambda z: z[0] * z[1] ** 2 * z[2] - 0.5 * z[2] ** 4 + 2**0.5,
    "He3(z2)": lambda z: z[1] ** 3 - 3 * z[1],
}
TEXTS = list(FORMULAS)


def grid(q, nodes=9):
    """Product Gauss-Hermite rule in q dimensions (exact to degree 17 in each): points (n, q) and weights."""
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    Z = torch.tensor(list(itertools.product(points, repeat=q)), dtype=torch.float64)
    W = torch.tensor(list(itertools.product(weights / weights.sum(), repeat=q)), dtype=torch.float64).prod(dim=1)
    return Z, W


def in_frame(text):
    """The target with z_i = x_i, on as many dimensions as it has variables."""
    q = parse_target(text, DIM).frame.shape[1]
    return parse_target(text, q, directions=torch.eye(q, dtype=torch.float64)), q


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, ROUNDING), (torch.float32, 2e-4)])
def test_values_are_the_plain_formula(text, dtype, tolerance):
    target = parse_target(text, DIM, seed=3)
    X = gaussian(200, DIM, generator_for(0), dtype)
    values = target(X)
    expected = FORMULAS[text]((X.double() @ target.frame).T)
    assert values.shape == (200,) and values.dtype == dtype
    # Single precision: rounding of 6e-8 on values up to some hundreds.
    torch.testing.assert_close(values.double(), expected, rtol=tolerance, atol=tolerance)


def test_values_do_not_depend_on_the_size_of_the_batch():
    target = parse_target(TEXTS[1], DIM)
    X = gaussian(40_000, DIM, generator_for(0))
    some = torch.tensor([0, 16_383, 16_384, 39_999])
    # The products with the frame may be summed in another order.
    torch.testing.assert_close(target(X)[some], target(X[some]), rtol=ROUNDING, atol=ROUNDING)


@pytest.mark.parametrize("text", TEXTS)
def test_moments_and_energies_are_those_of_quadrature(text):
    target, q = in_frame(text)
    Z, W = grid(q)
    values = target(Z)
    assert target.mean == pytest.approx(float(W @ values), abs=ROUNDING)
    assert target.second_moment == pytest.approx(float(W @ values**2), rel=ROUNDING)
    assert target.variance == pytest.approx(float(W @ values**2 - (W @ values) ** 2), rel=ROUNDING)
    energies = target.energy_by_degree()
    assert energies.shape == (target.degree + 1,) and float(energies.sum()) == pytest.approx(target.second_moment)
    for k, energy in enumerate(energies):
        part = target.part(k)(Z)
        assert float(W @ part**2) == pytest.approx(float(energy), rel=ROUNDING, abs=ROUNDING)
        assert float(W @ (part * values)) == pytest.approx(float(energy), rel=ROUNDING, abs=ROUNDING)
        assert float(target.tensor(k).square().sum()) / math.factorial(k) == pytest.approx(float(energy))


@pytest.mark.parametrize("text", TEXTS)
def test_parts_add_up_to_the_target(text):
    target = parse_target(text, DIM, seed=2)
    X = gaussian(50, DIM, generator_for(1))
    parts = [target.part(k) for k in range(target.degree + 1)]
    total = sum(part(X) for part in parts)
    torch.testing.assert_close(total, target(X), rtol=ROUNDING, atol=ROUNDING)
    assert all(torch.equal(part.frame, target.frame) for part in parts)
    assert not target.part(12)(X).any() and target.part(0).rank == 0


def derivatives(target, Z, k):
    """The k-th derivatives of a target at points Z by automatic differentiation, shape (n, q, ..., q)."""
    Z = Z.clone().requires_grad_()
    tensors = [target(Z)]
    for _ in range(k):
        tensors = [
            slope
            for tensor in tensors
            for slope in torch.autograd.grad((tensor + 0 * Z[:, 0]).sum(), Z, create_graph=True)[0].T
        ]
    return torch.stack(tensors, dim=1).detach().reshape(len(Z), *(Z.shape[1],) * k)


@pytest.mark.parametrize("k", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("text", TEXTS)
def test_hermite_tensors_are_mean_derivatives(text, k):
    target, q = in_frame(text)
    Z, W = grid(q, nodes=5)  # exact to degree 9
    expected = torch.tensordot(W, derivatives(target, Z, k), dims=1)
    assert target.tensor(k).shape == (q,) * k
    torch.testing.assert_close(target.tensor(k), expected, rtol=ROUNDING, atol=ROUNDING)


@pytest.mark.parametrize("text", TEXTS)
def test_expected_hessian_is_the_mean_hessian(text):
    target = parse_target(text, DIM, seed=5)
    Z, W = grid(target.frame.shape[1], nodes=5)
    hessians = derivatives(target, Z @ target.frame.T, 2)
    expected = torch.tensordot(W, hessians, dims=1)
    torch.testing.assert_close(target.expected_hessian(), expected, rtol=ROUNDING, atol=ROUNDING)


def test_expected_hessian_by_sampling():
    target = parse_target("He2(z1) + z2*z3 + z1*z2*z3", DIM, seed=1)
    X = gaussian(200_000, DIM, generator_for(11))
    second = X[:, :, None] * X[:, None, :] - torch.eye(DIM, dtype=X.dtype)  # Stein: H = E f (x x^T - I)
    terms = target(X)[:, None, None] * second
    error = terms.std(dim=0) / math.sqrt(len(X))
    # 28 different entries with heavy tails: five standard errors; a missing factor 2 would be above fifty.
    assert ((terms.mean(dim=0) - target.expected_hessian()).abs() <= 5 * error).all()


@pytest.mark.parametrize("text", TEXTS)
def test_normalised_has_second_moment_one(text):
    target, q = in_frame(text)
    Z, W = grid(q)
    normalised = target.normalised()
    assert float(W @ normalised(Z) ** 2) == pytest.approx(1, rel=ROUNDING)
    torch.testing.assert_close(normalised(Z) * target.second_moment**0.5, target(Z), rtol=ROUNDING, atol=ROUNDING)
    assert normalised.second_moment == pytest.approx(1, rel=1e-14)
    assert normalised.mean == pytest.approx(target.mean / target.second_moment**0.5)
    assert (normalised.rank, normalised.information_exponent()) == (
        target.rank,
        target.information_exponent(),
    )
    assert normalised.normalised().text == normalised.text


def test_normalised_says_by_what():
    assert parse_target("He2(z1) + z2", 3).normalised().text == "(He2(z1) + z2)/sqrt(3)"
    assert parse_target("z1/2", 3).normalised().text == "(z1/2)/sqrt(1/4)"


def test_hermite_coefficients_are_sympys():
    z = sympy.Symbol("z")
    density = sympy.exp(-(z**2) / 2) / sympy.sqrt(2 * sympy.pi)
    target = parse_target("z1^5 - 2*z1^2", 2)
    for k in range(6):
        slope = sympy.diff(z**5 - 2 * z**2, z, k)
        exact = sympy.integrate(sympy.expand(slope) * density, (z, -sympy.oo, sympy.oo))
        assert float(target.tensor(k).sum()) == pytest.approx(float(exact), abs=1e-12)


def test_targets_with_one_seed_share_their_directions():
    one, three = parse_target("He2(z1)", 20, seed=6), parse_target("z1*z2*z3", 20, seed=6)
    torch.testing.assert_close(one.frame, three.frame[:, :1], rtol=0, atol=1e-14)
    assert not torch.allclose(parse_target("He2(z1)", 20, seed=7).frame, one.frame)
    assert torch.equal(parse_target("He2(z1)", 20, seed=6).frame, one.frame)


def test_given_directions_are_used():
    U = torch.eye(4, dtype=torch.float64)[:, [2, 0]]
    target = parse_target("z1 + 10*z2", 4, directions=U)
    assert target(torch.tensor([[1.0, 2.0, 3.0, 4.0]])).tolist() == [13.0]


def test_unused_variables_are_not_relevant():
    target = parse_target("He2(z2) + z4", DIM, seed=1)
    assert target.frame.shape == (DIM, 4) and target.rank == 2
    torch.testing.assert_close(target.directions, target.frame[:, [1, 3]], rtol=0, atol=0)


def test_a_dense_text_is_read_in_time():
    pairs = [f"{i % 7 + 1}/3*z{i % 64 + 1}*z{7 * i % 64 + 1}*sqrt({i + 2})" for i in range(100)]
    target = parse_target(" + ".join(pairs), 100)
    assert (target.rank, target.degree) == (64, 2)
    everything = " + ".join(f"z{i}" for i in range(1, 65))
    square = parse_target(f"({everything})^2", 100)
    assert (square.rank, square.hessian_rank(), len(square.coefficients)) == (1, 1, 2081)


def test_repr_tells_what_matters():
    assert repr(parse_target("z1*z2", 9, seed=4)) == "Target('z1*z2', d=9, seed=4, degree=2, rank=2)"


def test_a_target_cannot_be_changed():
    with pytest.raises(AttributeError):
        parse_target("z1", 3).dim = 4


@pytest.mark.parametrize(
    ("text", "d", "seed", "phrase"),
    [
        ("z9", 5, 0, "uses z9 but d = 5: variables z1 to z5 are accepted"),
        ("z1", 0, 0, "d = 0"),
        ("z1", -3, 0, "d = -3"),
        ("z1", 2.0, 0, "d = 2.0"),
        ("z1", True, 0, "d = True"),
        ("z1", 3, -1, "seed = -1"),
        ("z1", 3, 0.5, "seed = 0.5"),
    ],
)
def test_bad_arguments_are_refused(text, d, seed, phrase):
    with pytest.raises(BadParameter, match=phrase):
        parse_target(text, d, seed)


def test_bad_calls_are_refused():
    target = parse_target("z1*z2*z3", 400)
    with pytest.raises(BadParameter, match=r"X has shape \(3, 5\)"):
        target(torch.zeros(3, 5))
    with pytest.raises(TypeError, match="X"):
        target(torch.zeros(3, 400, dtype=torch.int64))
    with pytest.raises(BadParameter, match="k = -1"):
        target.part(-1)
    with pytest.raises(BadParameter, match="more than 10\\^7 entries"):
        parse_target("z400*z1", 400).tensor(3)
    with pytest.raises(TargetError):
        parse_target("z1 +", 3)


def test_what_a_constant_part_cannot_tell():
    target = parse_target("He2(z1) + 1", 3)
    for part in (target.part(0), target.part(1)):
        for question in (part.information_exponent, part.leap):
            with pytest.raises(BadParameter, match="constant"):
                question()
    with pytest.raises(BadParameter, match="zero everywhere"):
        target.part(1).normalised()
    assert isinstance(target.part(0), Target) and target.part(0).mean == 1.0
    assert target.part(0)(torch.zeros(2, 3)).tolist() == [1.0, 1.0]
