"""The leap in the worst coordinates: the paper's example, bounds from turned coordinates, and invariance."""

import pytest

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.exponents.isotropic_leap import isotropic_leap
from beyond_kernel.foundations.targets.target import parse_target

# leap in the coordinates of the text, isotropic leap; by hand, the first from Appendix B.2 of Abbe et al. (2023)
BY_HAND = {
    "z1 + z2 + z1*z2": (1, 2),
    "z1 + z2 + z3 + z1*z2*z3": (1, 2),  # across (1, 1, 1) the product is a quadratic form and a cubic one
    "z1 + z1*z2 + z1*z2*z3": (1, 1),
    "z1 + z1*z2*z3": (2, 2),
    "z1*z2": (2, 2),
    "z1*z2*z3*z4": (4, 4),
    "He2(z1) + He2(z2) + He2(z3) + He3(z1)*He8(z3)": (2, 2),
    "He2(z1) + He2(z1)*He3(z2) + He2(z1)*He3(z2)*He1(z3)": (3, 3),
    "He5(z3)": (5, 5),
    "z1 + z3 + ((z1 - z3)/sqrt(2))^4 - 6*((z1 - z3)/sqrt(2))^2 + 3": (1, 4),
}
# Rotations that keep coefficients exact: what stands for z1, z2, z3.
TURNS = [
    ("(3*z1 + 4*z2)/5", "(4*z1 - 3*z2)/5", "z3"),
    ("(z1 + z2)/sqrt(2)", "(z1 - z2)/sqrt(2)", "z3"),
    ("(2*z1 + 2*z2 + z3)/3", "(2*z1 - z2 - 2*z3)/3", "(z1 - 2*z2 + 2*z3)/3"),
    ("z3", "(z1 + sqrt(3)*z2)/2", "(sqrt(3)*z1 - z2)/2"),
]


def turned(text, turn):
    for i, form in enumerate(turn, start=1):
        text = text.replace(f"z{i}", f"({form.replace('z', 'y')})")
    return text.replace("y", "z")


@pytest.mark.parametrize("text", BY_HAND)
def test_worked_examples(text):
    target = parse_target(text, 7, seed=3)
    assert (target.leap(), isotropic_leap(target)) == BY_HAND[text]
    assert isotropic_leap(target.normalised()) == BY_HAND[text][1]


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize(
    "text",
    ["z1 + z2 + z1*z2", "z1 + z1*z2 + z1*z2*z3", "z1*z2*z3 + z1^2", "z1 + z2^3 - 3*z2 + z1*z3", "z1*z2^2 - z1"],
)
def test_turning_the_coordinates_changes_nothing_and_no_leap_is_larger(text, turn):
    """It is the largest leap over all rotations, so each rotation gives a lower bound and the same value."""
    other = parse_target(turned(text, turn), 5)
    assert isotropic_leap(other) == isotropic_leap(parse_target(text, 5)) >= other.leap()


@pytest.mark.parametrize(
    ("text", "largest"),
    [("z1 + z2 + z1*z2", 2), ("z1 + z2 + z3 + z1*z2*z3", 2), ("z1 + z1*z2", 1), ("z1*z2^2 - z1", 3)],
)
def test_some_rotation_attains_it(text, largest):
    """Orthonormal coordinates whose first is the direction of the linear part, or the text's own."""
    spread = ("(z1 + z2)/sqrt(2)", "(z1 - z2)/sqrt(2)", "z3")
    thirds = (
        "z1/sqrt(3) + z2/sqrt(2) + z3/sqrt(6)",
        "z1/sqrt(3) - z2/sqrt(2) + z3/sqrt(6)",
        "z1/sqrt(3) - 2*z3/sqrt(6)",
    )
    leaps = [parse_target(turned(text, turn), 5).leap() for turn in (("z1", "z2", "z3"), spread, thirds)]
    assert max(leaps) == largest == isotropic_leap(parse_target(text, 5))


def test_many_variables_take_no_time_and_a_constant_is_refused():
    product = "*".join(f"z{i}" for i in range(1, 13))
    assert isotropic_leap(parse_target(product, 12)) == 12
    with pytest.raises(BadParameter, match="constant"):
        isotropic_leap(parse_target("z1", 4).part(2))
