"""Exponents against hand-worked cases, against each other, and under transformations that must not change them."""

import math

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.exponents.exponents import (
    exponents_of,
    generative_exponent,
    information_exponent,
    leap,
)
from beyond_kernel.foundations.exponents.links import NAMED_LINKS, Link, as_link
from beyond_kernel.foundations.targets.target import parse_target

# information, generative; worked by hand: parity, monotone pieces, and for bump the balance a phi(a) = b phi(b)
BY_HAND = {
    "relu": (1, 1),
    "abs": (2, 2),
    "sign": (1, 1),
    "tanh": (1, 1),
    "cos": (2, 2),
    "sin": (1, 1),
    "bump": (4, 4),
    "he1": (1, 1),
    "he2": (2, 2),
    "he3": (3, 1),
    "he4": (4, 2),
    "he5": (5, 1),
    "he6": (6, 2),
    "z1^3": (1, 1),
    "z1^4 + z1^3": (1, 1),
    "He4(z1) + He3(z1)": (3, 1),
    "z1^4 - 6*z1^2": (4, 2),
}
POLYNOMIALS = [name for name in BY_HAND if name not in NAMED_LINKS]


@pytest.mark.parametrize(("name", "expected"), BY_HAND.items())
def test_exponents_by_hand(name, expected):
    assert (information_exponent(name), generative_exponent(name)) == expected
    assert expected[1] <= expected[0]  # a transformation may leave the label as it is


@pytest.mark.parametrize("name", POLYNOMIALS)
def test_quadrature_and_thresholds_agree_with_the_exact_rules(name):
    numeric = Link(name, as_link(name).function)  # forgets that it is a polynomial
    assert numeric.target is None
    assert (information_exponent(numeric), generative_exponent(numeric)) == BY_HAND[name]


@pytest.mark.parametrize("name", ["relu", "he3", "bump", "cos"])
@pytest.mark.parametrize(("scale", "shift"), [(-1e-6, 0.0), (-2e5, 1e6)])
def test_units_do_not_matter(name, scale, shift):
    link = as_link(name)
    other = Link("affine", lambda z: scale * link(z) + shift, link.breakpoints)
    assert information_exponent(other) == BY_HAND[name][0]
    assert generative_exponent(other) == BY_HAND[name][1]


@pytest.mark.parametrize("name", ["he3", "he4", "bump", "relu"])
def test_a_monotone_transformation_of_the_label_does_not_change_the_generative_exponent(name):
    link = as_link(name)
    assert generative_exponent(lambda z: torch.atan(link(z) + 0.3)) == BY_HAND[name][1]


def test_a_label_of_two_values_has_one_exponent():
    inner, low, high = 0.5, 1.0, 10.0
    for _ in range(60):
        outer = (low + high) / 2
        high, low = (high, outer) if outer * math.exp(-(outer**2) / 2) > inner * math.exp(-0.125) else (outer, low)

    def ring(z):
        return ((z.abs() > inner) & (z.abs() < outer)).double()

    assert exponents_of(ring, [-outer, -inner, inner, outer]) == (4, 4, 4)
    assert generative_exponent(lambda z: (z.abs() < 0.7).double()) == 2


@pytest.mark.parametrize("offset", [-0.7, 0.2, 1.3])
def test_a_shifted_kink_is_found_with_its_breakpoint(offset):
    assert exponents_of(lambda z: torch.relu(z - offset), [offset]) == (1, 1, 1)
    assert generative_exponent(lambda z: torch.relu(z - offset)) == 1  # without it


@pytest.mark.parametrize(
    ("text", "information", "jump"),
    [
        ("z1 + z1*z2 + z1*z2*z3", 1, 1),
        ("z1 + z1*z2*z3", 1, 2),
        ("z1*z2*z3", 3, 3),
        ("h2(z1) + h3(z2)", 2, 3),
        ("h2(z1)*z2", 3, 3),
    ],
)
def test_targets_of_several_variables(text, information, jump):
    assert exponents_of(text) == (information, jump, None)
    assert exponents_of(parse_target(text, 5, seed=2)) == (information, jump, None)


# A single index in coordinates of its own, and the same function t -> f(t v) of one variable, worked out by hand.
TURNED = {
    "z2": "z1",
    "(z1 + z2)^2": "2*z1^2",
    "(z1 + z2)^3 - 3*(z1 + z2)": "2*sqrt(2)*z1^3 - 3*sqrt(2)*z1",
    "((z1 + z2)/sqrt(2))^3 - 3*(z1 + z2)/sqrt(2)": "he3",
    "(z1 + 2*z2 - 2*z3)^4/81 - 6*(z1 + 2*z2 - 2*z3)^2/9 + 3": "he4",
    "(3*z1 + 4*z3)^4/625 + (3*z1 + 4*z3)^3/125": "z1^4 + z1^3",
    "(z1 - z2)^6 - 7*(z1 - z2)^2": "8*z1^6 - 14*z1^2",
}


@pytest.mark.parametrize(("text", "line"), TURNED.items())
def test_a_single_index_has_its_exponents_in_whatever_coordinates(text, line):
    """Against the text of one variable, and against thresholds of the label, which know no polynomial."""
    for target in (parse_target(text, 3, directions=torch.eye(3, dtype=torch.float64)), parse_target(text, 7, seed=2)):
        assert information_exponent(target) == information_exponent(line)
        assert generative_exponent(target) == generative_exponent(line) == exponents_of(target).generative
        assert generative_exponent(Link("numeric", as_link(target).function)) == generative_exponent(target)
    assert generative_exponent(text) == generative_exponent(line)


@pytest.mark.parametrize("name", ["he3", "bump", "relu", "z1^4 - 6*z1^2"])
def test_the_leap_of_one_variable_is_the_information_exponent(name):
    assert leap(name) == information_exponent(name)


@pytest.mark.parametrize(
    ("function", "phrase"),
    [
        (lambda z: 0 * z, "constant"),
        (lambda z: 0 * z + 1e8, "constant"),
        (lambda z: torch.exp(z**2 / 3), "grows too fast"),
        (lambda z: torch.relu(z - 0.3), "breakpoints"),
        (torch.sign, "breakpoints"),
        (lambda z: torch.cos(60 * z), "nodes must be larger"),
        (lambda z: z**2 - 1 + 1e-6 * z, "not decided at degree 1"),
        (lambda z: z * float("nan"), "not finite"),
    ],
)
def test_information_exponent_refuses_what_it_cannot_decide(function, phrase):
    with pytest.raises(BadParameter, match=phrase):
        information_exponent(function)


@pytest.mark.parametrize(
    ("link", "phrase"),
    [
        (lambda z: 0 * z + 1e8, "constant"),
        (lambda z: torch.cos(3000 * z), "oscillates too fast"),
        (lambda z: torch.cos(12 * z), "not decided: up to max_degree = 12"),  # its coefficients are below 1e-22
        (lambda z: z**2 - 1 + 1e-6 * z, "not decided at degree 1"),
        ("z1*z2", "has rank 2: it must have rank 1"),
        (parse_target("z1 + h2(z2)", 4), "has rank 2: it must have rank 1"),
        (parse_target("z1^2", 3).part(1), "constant"),
    ],
)
def test_generative_exponent_refuses_what_it_cannot_decide(link, phrase):
    with pytest.raises(BadParameter, match=phrase):
        generative_exponent(link)


def test_the_generative_exponent_needs_no_second_moment():
    assert generative_exponent(lambda z: torch.exp(z**2)) == 2
    assert generative_exponent(torch.exp) == 1


def test_the_search_ends_at_the_given_degree():
    with pytest.raises(BadParameter, match="up to max_degree = 3"):
        generative_exponent("bump", max_degree=3)
    with pytest.raises(BadParameter, match="up to max_degree = 3"):
        information_exponent("bump", max_degree=3)
    for degree in (0, 41, 2.0):
        with pytest.raises(BadParameter, match="max_degree"):
            information_exponent("tanh", max_degree=degree)
