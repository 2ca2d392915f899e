"""The grammar of targets: what it reads, against Python's arithmetic, and what it refuses, and where."""

import math
import random

import numpy as np
import pytest

from beyond_kernel.foundations.exponents.links import NAMED_LINKS
from beyond_kernel.foundations.targets.grammar import parse_polynomial
from beyond_kernel.foundations.targets.tokens import LINK_NAMES, TargetError

DIM = 5
POINTS = [[0.3, -1.2, 0.7, 2.1, -0.4], [1.5, 0.2, -0.9, -1.1, 0.8], [-2.0, 1.0, 0.5, 0.1, 1.7]]


def value(polynomial, z):
    return math.fsum(
        float(coefficient) * math.prod(z[variable - 1] ** exponent for variable, exponent in index)
        for index, coefficient in polynomial.items()
    )


def he2(x):
    return x**2 - 1


def he3(x):
    return x**3 - 3 * x


def he4(x):
    return x**4 - 6 * x**2 + 3


GOOD = [
    ("z1", lambda z: z[0]),
    ("-z1", lambda z: -z[0]),
    ("+-+z1", lambda z: -z[0]),
    ("--z1", lambda z: z[0]),
    ("z1 - z2 - z3", lambda z: z[0] - z[1] - z[2]),
    ("z1-(z2-z3)", lambda z: z[0] - (z[1] - z[2])),
    ("z1 + z2*z3^2", lambda z: z[0] + z[1] * z[2] ** 2),
    ("-z1^2", lambda z: -(z[0] ** 2)),
    ("(-z1)**2", lambda z: z[0] ** 2),
    ("z1*-2", lambda z: -2 * z[0]),
    ("z1/2/3", lambda z: z[0] / 6),
    ("z1/2*3", lambda z: z[0] * 1.5),
    ("2^3*z1", lambda z: 8 * z[0]),
    ("0.5*z1 + .25*z2 + 3.*z3", lambda z: 0.5 * z[0] + 0.25 * z[1] + 3 * z[2]),
    ("He2(z1)", lambda z: he2(z[0])),
    ("He3(z2)", lambda z: he3(z[1])),
    ("h3( z2 )", lambda z: he3(z[1]) / math.sqrt(6)),
    ("h2(z1)*h2(z2)", lambda z: he2(z[0]) * he2(z[1]) / 2),
    ("He2(z1)/2 + He4(z1)/sqrt(48)", lambda z: he2(z[0]) / 2 + he4(z[0]) / math.sqrt(48)),
    ("He0(z1) + z2", lambda z: 1 + z[1]),
    ("h1(z4)", lambda z: z[3]),
    ("sqrt(2/3)*z1", lambda z: math.sqrt(2 / 3) * z[0]),
    ("sqrt(0.25)*z1", lambda z: 0.5 * z[0]),
    ("sqrt(sqrt(16))*z1", lambda z: 2 * z[0]),
    ("sqrt(2)*sqrt(3)*z1/sqrt(6)", lambda z: z[0]),
    ("z1/(1+sqrt(2))", lambda z: z[0] * (math.sqrt(2) - 1)),
    ("z1/(sqrt(2)+sqrt(3)-sqrt(5))", lambda z: z[0] / (math.sqrt(2) + math.sqrt(3) - math.sqrt(5))),
    ("(z1+z2)^2/4", lambda z: (z[0] + z[1]) ** 2 / 4),
    ("((z1+1)^2-z2)^3", lambda z: ((z[0] + 1) ** 2 - z[1]) ** 3),
    ("(z1 + 2)^0 + z3", lambda z: 1 + z[2]),
    (" z1\t*\n z5 ", lambda z: z[0] * z[4]),
    ("He2(z1) - z1^2 + 1 + z1", lambda z: z[0]),
    ("z1^12", lambda z: z[0] ** 12),
    (
        "(h2(z1) - h2(z2) + h2(z1)*h2(z2))/2",
        lambda z: (he2(z[0]) - he2(z[1])) / 8**0.5 + he2(z[0]) * he2(z[1]) / 4,
    ),
]


@pytest.mark.parametrize(("text", "formula"), GOOD, ids=[text for text, _ in GOOD])
def test_a_text_means_what_it_says(text, formula):
    polynomial = parse_polynomial(text, DIM)
    for z in POINTS:
        # Expanded powers of degree 12 cancel down from at most 1e4: ten digits remain with room.
        assert value(polynomial, z) == pytest.approx(formula(z), rel=1e-10, abs=1e-10)


def hermite_at(degree, x):
    return np.polynomial.hermite_e.hermeval(x, [0] * degree + [1])


FORMS = [
    ("(z1+z2)/sqrt(2)", lambda z: (z[0] + z[1]) / math.sqrt(2)),
    ("0.6*z1 + 0.8*z2", lambda z: 0.6 * z[0] + 0.8 * z[1]),
    ("-z3", lambda z: -z[2]),
    ("2*z1", lambda z: 2 * z[0]),
    ("1 + z4", lambda z: 1 + z[3]),
    ("z1/3 - sqrt(5)*z5 + 2/7", lambda z: z[0] / 3 - math.sqrt(5) * z[4] + 2 / 7),
    ("He1(z2) - (z1*z3 - z3*z1)", lambda z: z[1]),
]


@pytest.mark.parametrize(("text", "form"), FORMS, ids=[text for text, _ in FORMS])
@pytest.mark.parametrize("degree", [0, 1, 2, 3, 4, 7, 12])
def test_a_hermite_polynomial_of_a_linear_form_is_that_polynomial_at_the_form(text, form, degree):
    for name, size in (("He", 1.0), ("h", math.sqrt(math.factorial(degree)))):
        polynomial = parse_polynomial(f"{name}{degree}({text}) + z1", DIM)
        for z in POINTS:
            expected = hermite_at(degree, form(z)) / size + z[0]
            powers = sum(abs(float(c)) * math.prod(abs(z[v - 1]) ** e for v, e in i) for i, c in polynomial.items())
            assert value(polynomial, z) == pytest.approx(expected, rel=1e-10, abs=1e-13 * powers)


def test_a_form_that_cancels_to_a_variable_is_as_exact_as_the_variable():
    assert parse_polynomial("He6(z1 + z2 - z2)", DIM) == parse_polynomial("He6(z1)", DIM)
    assert parse_polynomial("He5((z1 + z2)/sqrt(2))*sqrt(2)", DIM) == parse_polynomial(
        "He5(z2/sqrt(2) + z1*sqrt(1/2))*2/sqrt(2)", DIM
    )
    assert parse_polynomial(
        "He3(0.6*z1 + 0.8*z2) - (0.6*z1 + 0.8*z2)^3 + 3*(0.6*z1 + 0.8*z2) + z1", DIM
    ) == parse_polynomial("z1", DIM)


def test_links_are_known_by_the_names_that_they_have_elsewhere():
    assert set(LINK_NAMES) == set(NAMED_LINKS)


def random_text(rng, depth=0):
    if depth == 4 or rng.random() < 0.25:
        return rng.choice(["z1", "z2", "3", "0.5", "z3", "7"])
    first, second = random_text(rng, depth + 1), random_text(rng, depth + 1)
    form = rng.choice(["{} + {}", "{} - {}", "({})*({})", "-({}) + {}", "({})/4 - {}", "{}-({})"])
    return form.format(first, second)


@pytest.mark.parametrize("seed", range(25))
def test_random_sums_and_products_follow_python(seed):
    text = random_text(random.Random(seed)) + " + 11*z4^2"
    python = compile(text.replace("^", "**"), "text", "eval")
    if max(sum(e for _, e in index) for index in parse_polynomial(text, DIM)) > 12:
        pytest.fail("the generator makes targets of a degree of at most 12")
    for z in POINTS:
        names = {f"z{i + 1}": x for i, x in enumerate(z)}
        expected = eval(python, {"__builtins__": {}}, names)  # the oracle; the text is made by this test
        assert value(parse_polynomial(text, DIM), z) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_cancellation_leaves_nothing_behind():
    assert set(parse_polynomial("He2(z1) - z1^2 + 1 + z1", DIM)) == {((1, 1),)}
    assert set(parse_polynomial("(sqrt(2)*z1)^2 - 2*z1^2 + z2", DIM)) == {((2, 1),)}
    assert set(parse_polynomial("0.1*z1 + 0.2*z1 - 0.3*z1 + z2", DIM)) == {((2, 1),)}
    assert set(parse_polynomial("z1*(sqrt(6) - sqrt(2)*sqrt(3)) + z2", DIM)) == {((2, 1),)}


BAD = [
    ("__import__('os')", 1, "'__import__' is not known"),
    ("He2(z1", 7, "expected ')' or an operator, found the end of the text"),
    ("z9", 1, "it uses z9 but d = 5: variables z1 to z5 are accepted"),
    ("z1 + He2(z6)", 10, "it uses z6 but d = 5"),
    ("z999999999999999999999", 1, "d = 5"),
    ("", None, "the text is empty"),
    ("  \t ", None, "the text is empty"),
    ("3", None, "no variable"),
    ("sqrt(2)/3 + 1", None, "no variable"),
    ("z1 - z1", None, "vanishes identically"),
    ("0*z3", None, "vanishes identically"),
    ("He2(z1) - z1^2 + 1", None, "vanishes identically"),
    ("z1 - z1 + 3", None, "constant"),
    ("z1/0", 4, "division by zero"),
    ("z1/(sqrt(8) - 2*sqrt(2))", 4, "division by zero"),
    ("z1/(z2 - z2)", 4, "division by zero"),
    ("1/z1", 3, "division by a polynomial"),
    ("z1/(1+z2)", 4, "division by a polynomial"),
    ("z1*sqrt(-2)", 8, "negative"),
    ("sqrt(1-sqrt(2))*z1", 5, "negative"),
    ("sqrt(z1)", 5, "a constant, not a polynomial"),
    ("sqrt(1+sqrt(2))*z1", 5, "rational"),
    ("sqrt 2*z1", 6, "expected '('"),
    ("sqrt()*z1", 6, "expected a number"),
    ("sqrt(99999999999999)*z1", 5, "at most 1000000000000"),
    ("z0", 1, "z0 is no variable: variables z1 to z5 are accepted"),
    ("z01", 1, "z01 is no variable"),
    ("z", 1, "lacks its number"),
    ("He(z1)", 1, "expected a degree, as in He2(z1)"),
    ("h(z1)", 1, "expected a degree, as in h2(z1)"),
    ("He2", 4, "expected '('"),
    ("He2()", 5, "expected a number, a variable such as z1"),
    ("He2(2)", 5, "He2 takes a linear form such as z1 or (z1 + z2)/sqrt(2), not a constant"),
    ("h3(z1 - z1)", 4, "h3 takes a linear form such as z1 or (z1 + z2)/sqrt(2), not a constant"),
    ("z3 + He2(z1*z2)", 10, "not a polynomial of degree 2"),
    ("h2(He3(z1) + z2)", 4, "not a polynomial of degree 3"),
    ("He2(z1,z2)", 7, "expected ')' or an operator, found ','"),
    ("He2(z1 + z6)", 10, "it uses z6 but d = 5"),
    ("h2(" * 50 + "z1" + ")" * 50, 123, "nested more than 40 deep"),
    ("He13(z1+z2)", 1, "the degree is 13: at most 12"),
    ("relu(z1)", 1, 'relu is a link, no polynomial: single_index("relu", 5) makes a task of it'),
    ("z1 + sin(z2)", 6, 'sin is a link, no polynomial: single_index("sin", 5)'),
    ("relu*z1", 1, "'relu' is not known"),
    ("He13(z1)", 1, "the degree is 13: at most 12"),
    ("z1^13", 3, "the degree is 13: at most 12"),
    ("z1^7*z2^6", 5, "the degree is 13: at most 12"),
    ("z1^" + "9" * 500, 3, "degree is very large"),
    ("z1^-2", 4, "whole number as exponent"),
    ("z1^1.5", 4, "whole number as exponent"),
    ("z1^z2", 4, "whole number as exponent"),
    ("z1^(2)", 4, "whole number as exponent"),
    ("z1^2^3", 5, "expected an operator"),
    ("z1**", 5, "found the end of the text"),
    ("2z1", 2, "expected an operator"),
    ("z1 z2", 4, "expected an operator"),
    ("1e5*z1", 2, "expected an operator"),
    ("z1)", 3, "expected an operator"),
    ("(z1", 4, "expected ')'"),
    ("z1 +", 5, "expected a number"),
    ("z1 + * z2", 6, "expected a number"),
    ("*z1", 1, "expected a number"),
    ("z1, z2", 3, "found ','"),
    ("z1; z2", 3, "found ';'"),
    ("z1 = 2", 4, "found '='"),
    ("log(z1)", 1, "'log' is not known"),
    ("x1", 1, "'x1' is not known"),
    ("Z1", 1, "'Z1' is not known"),
    ("z1.real", 3, "found '.'"),
    ("√2*z1", 1, "found '√'"),
    ("(" * 200 + "z1" + ")" * 200, 41, "nested more than 40 deep"),
    ("z1+" * 2000 + "z1", None, "at most 4000 are accepted"),
    ("2^101*z1", 3, "above 100"),
    ("((10^29)^29)^29*z1", 9, "too large"),
    ("1" * 31 + "*z1", 1, "at most 30 digits"),
    ("z1/10^90/10^90", None, "1e-100 to 1e100"),
    ("z1*10^99*10^99", None, "1e-100 to 1e100"),
    ("z1/(sqrt(2)+sqrt(3)+sqrt(5)+sqrt(7)+sqrt(11)+sqrt(13))", 4, "different roots"),
    (b"z1", None, "must be a string"),
    (5, None, "must be a string"),
    (None, None, "must be a string"),
]


@pytest.mark.parametrize(("text", "position", "phrase"), BAD, ids=[repr(text)[:40] for text, _, _ in BAD])
def test_anything_else_is_refused_with_its_position(text, position, phrase):
    with pytest.raises(TargetError) as caught:
        parse_polynomial(text, DIM)
    message = str(caught.value)
    assert phrase in message and caught.value.position == position
    assert "\n" not in message and message.endswith(".") and len(message) < 300
    if position is not None:
        assert f"at position {position}:" in message
    if isinstance(text, str) and len(text) < 60:
        assert repr(text) in message


def test_an_expansion_that_would_take_too_long_is_refused():
    everything = "+".join(f"z{i}" for i in range(1, 41))
    for text in (f"({everything})^8", f"h8({everything})"):
        with pytest.raises(TargetError, match="products of terms"):
            parse_polynomial(text, 40)


def test_in_one_dimension_one_variable_is_accepted():
    with pytest.raises(TargetError, match="d = 1: only variable z1 is accepted"):
        parse_polynomial("z2", 1)


def test_a_long_row_of_signs_is_no_trouble():
    assert value(parse_polynomial("-" * 3001 + "z1", 1), [2.0]) == -2.0
