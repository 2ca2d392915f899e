"""Tokens of the grammar of targets, and the error that names a fault with its position."""

import re
from typing import NamedTuple

from beyond_kernel.checks import BadParameter

OPERAND = "a number, a variable such as z1, He2(z1), h2(z1), sqrt(2) or '('"
LINK_NAMES = "relu abs sign step tanh erf sigmoid softplus gelu silu sin cos exp bump".split()
"""Functions of one variable that have a name but are no polynomials, those of ``links.NAMED_LINKS``."""

WHERE_LINKS_GO = (
    'single_index("{name}", {d}) makes a task of it or of a function of yours, relu_teacher one of a network, '
    "task_from_arrays one of values that you have"
)
_SHOWN = 90
_TOKEN = re.compile(
    r"(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
    r"|(?P<name>[A-Za-z_][A-Za-z_0-9]*)"
    r"|(?P<sign>\*\*|[-+*/^()])"
    r"|(?P<other>.)"
)


class TargetError(BadParameter):
    """A text that is no target; ``position`` (from 1) is the place of the fault, or None."""

    def __init__(self, text: str, fault: str, position: int | None = None):
        self.position = position
        self._given = (text, fault, position)
        place = f" at position {position}" if position is not None else ""
        super().__init__(f"target {_shown(text, position)}{place}: {fault}.")

    def __reduce__(self) -> tuple:
        return type(self), self._given  # so that it survives the way back from a worker process


class Token(NamedTuple):
    """A piece of the text with its kind (number, name, sign, other or end) and its position, from 1."""

    kind: str
    text: str
    position: int


def tokens(text: str) -> list[Token]:
    """Return the tokens of a text, the last one of kind "end"; white space separates and is dropped."""
    found, at = [], 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        match = _TOKEN.match(text, at)
        found.append(Token(match.lastgroup, match.group(), at + 1))
        at = match.end()
    return [*found, Token("end", "", len(text) + 1)]


def quoted(token: Token) -> str:
    """Return a token as it stands in a message."""
    return "the end of the text" if token.kind == "end" else repr(token.text[:30])


def _shown(text: object, position: int | None) -> str:
    if not isinstance(text, str):
        return repr(text)[:_SHOWN]
    if len(text) <= _SHOWN:
        return repr(text)
    start = max(0, min((position or 1) - 1 - _SHOWN // 2, len(text) - _SHOWN))
    end = start + _SHOWN
    return ("..." if start else "") + repr(text[start:end]) + ("..." if end < len(text) else "")
