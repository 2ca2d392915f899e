"""Targets in print: by hand, drawn by matplotlib, and read back as the same polynomial."""

import re

import pytest
from matplotlib.mathtext import MathTextParser

from beyond_kernel.foundations.targets.grammar import parse_polynomial
from beyond_kernel.foundations.targets.in_maths import in_maths
from beyond_kernel.foundations.targets.tokens import TargetError

TEXTS = [
    "(h2(z1) - h2(z2) + h2(z1)*h2(z2) + h3(z1))/2",
    "h2(z1)*z2",
    "2*3*z1**2 - .5*z12^3",
    "He4((z1 + z2)/sqrt(2))/sqrt(2*3)",
    "-sqrt((1 + 2)/3)*(z1 + (z2 - 1)*z3)",
]


def test_two_texts_by_hand():
    assert in_maths("z1*h2(z2)") == r"$z_{1}\,h_{2}(z_{2})$"
    assert in_maths("2*3*He3(z1)**2/sqrt(6)") == r"$2\cdot 3\,\mathrm{He}_{3}(z_{1})^{2}/\sqrt{6}$"


@pytest.mark.parametrize("text", TEXTS)
def test_it_can_be_drawn_and_is_still_the_same_polynomial(text):
    shown = in_maths(text)
    assert MathTextParser("path").parse(shown).width > 0
    back = re.sub(r"_\{(\d+)\}|\^\{(\d+)\}", lambda part: part[1] or f"^{part[2]}", shown.strip("$"))
    for printed, plain in ((r"\mathrm{He}", "He"), (r"\,", "*"), (r"\cdot ", "*"), (r"\sqrt", "sqrt")):
        back = back.replace(printed, plain)
    back = back.replace("{", "(").replace("}", ")")
    assert parse_polynomial(back, 20) == parse_polynomial(text, 20)


def test_what_is_no_target_is_refused_with_a_sentence():
    with pytest.raises(TargetError, match="position"):
        in_maths("z1)*z2")
