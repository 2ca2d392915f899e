"""The numbers of a target against those worked by hand and those of the papers."""

import pytest

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.which_method_wins.target_facts import target_facts

# degree, rank, information exponent, generative exponent, leap, isotropic leap, rank of H, degenerate, mean, variance
WORKED = {
    "h2(z1) + z2*z3": (2, 3, 2, None, 2, 2, 3, False, 0, 2),
    "h3(z1) + 2": (3, 1, 3, 1, 3, 3, 0, True, 2, 1),
    "h4(z2)": (4, 1, 4, 2, 4, 4, 0, True, 0, 1),
    "z1 + z2 + z1*z2": (2, 2, 1, None, 1, 2, 2, False, 0, 3),
    "He2(z1)": (2, 1, 2, 2, 2, 2, 1, False, 0, 2),
    "z1^2": (2, 1, 2, 2, 2, 2, 1, False, 1, 2),
    "z1": (1, 1, 1, 1, 1, 1, 0, True, 0, 1),
}


@pytest.mark.parametrize("text", WORKED)
def test_worked_examples(text):
    assert list(target_facts(text).values()) == pytest.approx(list(WORKED[text]), abs=1e-12)
    assert target_facts(parse_target(text, 7, seed=3)) == target_facts(text)


def test_links_have_exponents_and_no_directions():
    facts = target_facts("relu")
    assert (facts["information exponent"], facts["generative exponent"], facts["degree"]) == (1, 1, None)
    assert facts["mean"] == pytest.approx((2 * 3.141592653589793) ** -0.5)
    assert facts["degenerate Hessian"] is None


def test_refusals():
    with pytest.raises(BadParameter, match="link = 'rel'"):
        target_facts("rel")
    with pytest.raises(BadParameter, match="constant"):
        target_facts(parse_target("z1", 3).part(2))
