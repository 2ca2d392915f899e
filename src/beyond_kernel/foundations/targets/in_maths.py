"""The text of a target as mathematics, for figures and tables."""

import re

from beyond_kernel.foundations.targets.grammar import parse_polynomial
from beyond_kernel.foundations.targets.tokens import tokens

_SIGNS = {"**": "^", "*": r"\,"}


def in_maths(text: str) -> str:
    r"""Return a target's text as it is printed: indices below, powers above, no sign for a product of letters.

    Args:
        text: a text that ``parse_target`` accepts in some dimension.

    Raises:
        TargetError: if it is none.

    Chapter: frozen_representation.

    >>> print(in_maths("(z1*z2 + 0.5*h2(z1)^2)/sqrt(2)"))
    $(z_{1}\,z_{2}+0.5\,h_{2}(z_{1})^{2})/\sqrt{2}$
    """
    parse_polynomial(text, 10**6)
    shown, closing, before = [], [], ""
    for token in tokens(text):
        piece = _SIGNS.get(token.text, token.text)
        if token.text == "(":
            closing.append("}" if before == "sqrt" else ")")
            piece = "{" if before == "sqrt" else "("
        elif token.text == ")":
            piece = closing.pop()
        elif token.kind == "name":
            piece = re.sub(r"(\D+)(\d+)", r"\1_{\2}", token.text)
            piece = piece.replace("sqrt", r"\sqrt").replace("He", r"\mathrm{He}")
        elif token.kind == "number" and before in ("^", "**"):
            piece = "{" + piece + "}"
        elif token.kind == "number" and before == "*":
            shown[-1], piece = r"\cdot ", token.text
        shown.append(piece)
        before = token.text
    return "$" + "".join(shown) + "$"
