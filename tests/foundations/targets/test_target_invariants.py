"""Ranks, exponents and the relevant subspace of targets against hand-made facts and invariances."""

import math

import numpy as np
import pytest
import torch

from beyond_kernel.foundations.inputs.laws import gaussian
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for

DIM = 7
ROUNDING = 1e-11  # double precision on values below 1e4
TEXTS = ["He2(z1)/2 + He4(z1)/sqrt(48)", "(z1 + 2*z2)^3 - z2 + 1", "z1*z2^2*z3 - 0.5*z3^4 + sqrt(2)", "He3(z2)"]


def gradients_at(target, X):
    X = X.clone().requires_grad_()
    return torch.autograd.grad(target(X).sum(), X)[0]


# text, degree, rank, rank of H, information exponent, leap
FACTS = [
    ("z1", 1, 1, 0, 1, 1),
    ("He2(z1)", 2, 1, 1, 2, 2),
    ("He3(z1)", 3, 1, 0, 3, 3),
    ("z1^3", 3, 1, 0, 1, 1),
    ("z1*z2", 2, 2, 2, 2, 2),
    ("(z1 + z2)^2", 2, 1, 1, 2, 2),
    ("(z1 + sqrt(2)*z2 - z3)^3 + 3", 3, 1, 0, 1, 1),
    ("z1^2 - z2^2", 2, 2, 2, 2, 2),
    ("z1^2 + z2^2 + 2*z1*z2 + z3", 2, 2, 1, 1, 2),
    ("He2(z1) + He3(z2)", 3, 2, 1, 2, 3),
    ("h2(z1) + h2(z1)*z2", 3, 2, 1, 2, 2),
    ("z1 + z1*z2 + z1*z2*z3", 3, 3, 2, 1, 1),
    ("z1 + z1*z2*z3", 3, 3, 0, 1, 2),
    ("z1*z2*z3", 3, 3, 0, 3, 3),
    ("He2(z1) - z1^2 + 1 + z1", 1, 1, 0, 1, 1),
    ("He4(z1) + 6*z1^2 - 3", 4, 1, 1, 2, 2),
    ("z2 + He3(z2)*He2(z5)", 5, 2, 0, 1, 2),
    ("z1*z2 + sqrt(2)*He2(z1)/2 + He2(z2)/sqrt(8)", 2, 1, 1, 2, 2),
    ("z1*z2 + z2*z3 + z3*z4 + z4*z1", 2, 2, 2, 2, 2),
    ("h4((z1 + z2)/sqrt(2))", 4, 1, 0, 4, 4),  # one direction, no part of a lower degree
    ("He3(0.6*z1 + 0.8*z2)", 3, 1, 0, 3, 3),
    ("He4((z1 + z2)/2)", 4, 1, 1, 2, 2),  # length 1/sqrt(2): He4(l) = He4(u)/4 - 3 He2(u)/2 + 3/4, u of unit length
    ("He3(z1 + z2)", 3, 1, 0, 1, 1),  # length sqrt(2): sqrt(8) He3(u) + sqrt(18) u
    ("h2((z1 + z2)/sqrt(2)) + h3((z1 - z2)/sqrt(2))", 3, 2, 1, 2, 2),
    ("h2((z1 + z2)/sqrt(2)) - h2((z1 - z2)/sqrt(2))", 2, 2, 2, 2, 2),  # sqrt(2) z1 z2
    ("h2(z1 + 1)", 2, 1, 1, 1, 1),
]


@pytest.mark.parametrize(("text", "degree", "rank", "hessian_rank", "exponent", "leap"), FACTS)
def test_exact_facts(text, degree, rank, hessian_rank, exponent, leap):
    target = parse_target(text, DIM)
    found = (
        target.degree,
        target.rank,
        target.hessian_rank(),
        target.information_exponent(),
        target.leap(),
    )
    assert found == (degree, rank, hessian_rank, exponent, leap)
    assert target.has_degenerate_hessian == (hessian_rank < rank)
    assert int(torch.linalg.matrix_rank(target.expected_hessian())) == hessian_rank


@pytest.mark.parametrize("text", [fact[0] for fact in FACTS] + TEXTS)
def test_the_relevant_subspace_is_the_span_of_the_gradients(text):
    target = parse_target(text, DIM, seed=8)
    gradients = gradients_at(target, gaussian(60, DIM, generator_for(2)))
    assert int(torch.linalg.matrix_rank(gradients)) == target.rank
    U = target.directions
    assert U.shape == (DIM, target.rank)
    torch.testing.assert_close(U.T @ U, torch.eye(target.rank, dtype=U.dtype), rtol=0, atol=ROUNDING)
    torch.testing.assert_close(gradients @ U @ U.T, gradients, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("text", [fact[0] for fact in FACTS])
def test_degenerate_directions_are_relevant_and_killed_by_the_hessian(text):
    target = parse_target(text, DIM, seed=8)
    V, U, H = target.degenerate_directions(), target.directions, target.expected_hessian()
    assert V.shape == (DIM, target.rank - target.hessian_rank())
    torch.testing.assert_close(V.T @ V, torch.eye(V.shape[1], dtype=V.dtype), rtol=0, atol=ROUNDING)
    torch.testing.assert_close(H @ V, torch.zeros_like(V), rtol=0, atol=ROUNDING)
    torch.testing.assert_close(U @ (U.T @ V), V, rtol=0, atol=ROUNDING)


def test_degenerate_direction_of_a_mixed_target():
    target = parse_target("h2(z1)/sqrt(2) + h3(z2)/sqrt(2)", DIM, seed=1)
    overlap = (target.degenerate_directions().T @ target.frame).abs()
    torch.testing.assert_close(overlap, torch.tensor([[0.0, 1.0]], dtype=overlap.dtype), rtol=0, atol=ROUNDING)


def test_condition_number_is_the_pseudo_inverses_norm():
    for text in ("h2(z1)", "z1*z2", "He2(z1) + z2*z3/4", "(z1 + z2)^2", "h2(z1) + 0.1*h2(z2)"):
        target = parse_target(text, DIM).normalised()
        inverse = torch.linalg.pinv(target.expected_hessian(), rtol=1e-10)
        expected = float(torch.linalg.matrix_norm(inverse, 2)) / math.sqrt(target.rank)
        assert target.condition_number() == pytest.approx(expected, rel=1e-9)
        assert target.condition_number() >= 2**-0.5 * (1 - 1e-12)  # Parseval: |H|_F^2 <= 2 E f^2
    assert parse_target("h2(z1)", DIM).condition_number() == pytest.approx(2**-0.5)
    assert parse_target("z1*z2", DIM).condition_number() == pytest.approx(2**-0.5)
    assert parse_target("He3(z1)", DIM).condition_number() == math.inf


def test_a_tiny_second_degree_part_is_not_taken_for_zero():
    target = parse_target("He3(z1) + He2(z1)/10^25", DIM)
    assert target.hessian_rank() == 1 and target.information_exponent() == 2
    assert parse_target("He3(z1) + 0.1*He2(z1) + 0.2*He2(z1) - 0.3*He2(z1)", DIM).information_exponent() == 3


def frame_with(v):
    """Return an orthogonal matrix whose first column is the unit vector v."""
    v = torch.tensor(v, dtype=torch.float64)
    Q = torch.linalg.qr(torch.column_stack([v, torch.eye(len(v), dtype=v.dtype)]))[0]
    return Q * torch.where(torch.arange(len(v)) == 0, torch.sign(Q[:, 0] @ v), 1.0)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 6])
@pytest.mark.parametrize(
    ("form", "v"), [("(z1 + z2)/sqrt(2)", [0.5**0.5, 0.5**0.5]), ("0.48*z1 - 0.64*z2 + 0.6*z3", [0.48, -0.64, 0.6])]
)
def test_a_form_of_unit_length_is_the_variable_of_a_turned_frame(form, v, k):
    """He_k(<v, z>) is He_k of the first coordinate where v is the first direction: all invariants, and C_k = k! v^k."""
    target = parse_target(f"He{k}({form})", DIM, seed=3)
    turned = parse_target(f"He{k}(z1)", DIM, directions=target.frame @ frame_with(v))
    X = gaussian(50, DIM, generator_for(4))
    torch.testing.assert_close(target(X), turned(X), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(target.expected_hessian(), turned.expected_hessian(), rtol=0, atol=ROUNDING)
    torch.testing.assert_close(target.energy_by_degree(), turned.energy_by_degree(), rtol=1e-12, atol=0)
    assert target.energy_by_degree().tolist() == [0.0] * k + [pytest.approx(math.factorial(k), rel=1e-12)]
    facts = [(t.degree, t.rank, t.hessian_rank(), t.information_exponent(), t.leap()) for t in (target, turned)]
    assert facts[0] == facts[1]
    overlap = (target.directions.T @ turned.directions).abs()
    assert float(overlap) == pytest.approx(1, abs=ROUNDING)
    tensor = torch.tensor(math.factorial(k), dtype=torch.float64)
    for _ in range(k):
        tensor = tensor[..., None] * torch.tensor(v, dtype=torch.float64)
    torch.testing.assert_close(target.tensor(k), tensor, rtol=1e-12, atol=ROUNDING)


@pytest.mark.parametrize(("length", "k"), [("2", 2), ("0.5", 4), ("sqrt(3)", 5), ("1/3", 6)])
def test_a_form_of_another_length_has_the_energies_of_quadrature(length, k):
    size = {"2": 2.0, "0.5": 0.5, "sqrt(3)": 3**0.5, "1/3": 1 / 3}[length]
    z, weights = np.polynomial.hermite_e.hermegauss(40)
    weights = weights / weights.sum()
    values = np.polynomial.hermite_e.hermeval(size * z, [0] * k + [1])
    by_hand = [
        (weights @ (values * np.polynomial.hermite_e.hermeval(z, [0] * j + [1]))) ** 2 / math.factorial(j)
        for j in range(k + 1)
    ]
    energies = parse_target(f"He{k}({length}*(0.6*z1 - 0.8*z2))", DIM).energy_by_degree()
    assert energies.tolist() == pytest.approx(by_hand, rel=1e-9, abs=1e-9 * max(by_hand))


@pytest.mark.parametrize("angle", [0.3, 1.1])
def test_rotating_the_directions_changes_no_invariant(angle):
    text = "(h2(z1) + z1*z2 + h3(z2))/2"
    turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]).double()
    U = parse_target(text, DIM, seed=4).frame
    plain = parse_target(text, DIM, directions=U)
    turned = parse_target(text, DIM, directions=torch.linalg.qr(U @ turn)[0])
    X = gaussian(40, DIM, generator_for(0))
    rotation = torch.linalg.qr(gaussian(DIM, DIM, generator_for(1)))[0]
    moved = parse_target(text, DIM, directions=rotation @ U)
    torch.testing.assert_close(moved(X @ rotation.T), plain(X), rtol=ROUNDING, atol=ROUNDING)
    for other in (turned, moved):
        values = torch.linalg.eigvalsh(other.expected_hessian())
        torch.testing.assert_close(values, torch.linalg.eigvalsh(plain.expected_hessian()), rtol=0, atol=ROUNDING)
        assert other.condition_number() == pytest.approx(plain.condition_number())


def test_writing_the_same_function_in_turned_coordinates_changes_no_invariant():
    plain = parse_target("He2(z1) + He3(z2)", DIM)
    first, second = "(0.6*z1 + 0.8*z2)", "(0.8*z1 - 0.6*z2)"
    turned = parse_target(f"{first}^2 - 1 + {second}^3 - 3*{second}", DIM)
    for k in range(4):
        assert float(turned.energy_by_degree()[k]) == pytest.approx(float(plain.energy_by_degree()[k]), abs=1e-12)
    assert (turned.rank, turned.hessian_rank(), turned.information_exponent()) == (2, 1, 2)
    assert (plain.leap(), turned.leap()) == (3, 2)  # the leap alone depends on the coordinates
