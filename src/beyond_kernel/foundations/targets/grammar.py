"""The grammar of targets: from text to an exact polynomial by recursive descent; no text is run as code.

The rules::

    sum      =  product { ("+" | "-") product }
    product  =  signed { ("*" | "/") signed }
    signed   =  { "+" | "-" } power
    power    =  atom [ ("^" | "**") whole number ]
    atom     =  number | variable | hermite | "sqrt" "(" sum ")" | "(" sum ")"
    hermite  =  ("He" | "h") degree "(" linear form ")"
    variable =  "z1" | "z2" | ...

A linear form is a sum of degree one, such as z1, (z1 + z2)/sqrt(2) or 0.6*z1 + 0.8*z2 - 1. He_k(l) is the polynomial
He_k evaluated at l, whatever the length of l. Only where l has no constant term and the squares of its coefficients add
up to 1 is h_k(l) of mean square one, and He_k(l) without parts of lower degree.
"""

import math
import re
from fractions import Fraction

from beyond_kernel.foundations.targets.algebra import Polynomial, add, hermite_as_powers, multiply, total_degree
from beyond_kernel.foundations.targets.surds import LARGEST_RADICAND, Surd
from beyond_kernel.foundations.targets.tokens import (
    LINK_NAMES,
    OPERAND,
    WHERE_LINKS_GO,
    TargetError,
    Token,
    quoted,
    tokens,
)

MOST_CHARACTERS = 4000
MOST_DEGREE = 12
_MOST_DEPTH = 40
_MOST_DIGITS = 30
_MOST_BITS = 2048
_MOST_PRODUCTS = 200_000  # about half a second of exact multiplications
_MOST_DIVISOR_PRIMES = 5


def parse_polynomial(text: str, dim: int) -> Polynomial:
    """Return the polynomial that a text stands for, exactly and in powers of the variables.

    Accepted are sums, differences, products, division by constants, whole powers (``^`` or ``**``),
    parentheses, whole numbers and decimals (exact: 0.1 is 1/10), ``sqrt`` of a rational constant, variables
    z1, z2, ..., ``He3(z2)`` (probabilists' Hermite polynomial) and ``h3(z2)`` = He3(z2)/sqrt(6), both of a variable
    or of a linear form: ``h4((z1 + z2)/sqrt(2))``. He3(l) is l^3 - 3*l for any l, also one that is not of unit length.
    A link that is no polynomial has a task of its own: ``single_index("relu", d)``.

    Args:
        text: the target as text, of at most 4000 characters.
        dim: the dimension d of the inputs, which bounds the index of a variable.

    Returns:
        Dictionary from multi-index to exact coefficient.

    Raises:
        TargetError: for anything else, with the text, the position of the fault and what was expected.
    """
    if not isinstance(text, str):
        raise TargetError(text, "a target must be a string such as 'He2(z1) + z2*z3'")
    if not text.strip():
        raise TargetError(text, "the text is empty: it must be a polynomial such as 'He2(z1) + z2*z3'")
    if len(text) > MOST_CHARACTERS:
        fault = f"the text has {len(text)} characters: at most {MOST_CHARACTERS} are accepted"
        raise TargetError(text, fault)
    return _Parser(text, dim).parse()


class _Parser:
    def __init__(self, text: str, dim: int):
        self.text, self.dim = text, dim
        self.tokens = tokens(text)
        self.next = 0
        self.depth = 0
        self.products = 0
        self.variables = 0

    def parse(self) -> Polynomial:
        result = self._sum()
        token = self._peek()
        if token.kind != "end":
            fault = f"expected an operator (+, -, *, /, ^) or the end, found {quoted(token)}"
            raise self._fault(fault, token)
        return self._polynomial(result)

    def _polynomial(self, result: Polynomial) -> Polynomial:
        if not self.variables:
            raise TargetError(self.text, "it holds no variable: a target must depend on a variable such as z1")
        if not result:
            raise TargetError(self.text, "it vanishes identically: everything in it cancels")
        if not any(result):
            fault = "it is constant, its variables cancel: a target must depend on a variable such as z1"
            raise TargetError(self.text, fault)
        for coefficient in result.values():
            self._float_range(coefficient)
        return result

    def _sum(self) -> Polynomial:
        total = self._product()
        while self._peek().text in ("+", "-"):
            sign = self._take()
            term = self._product()
            total = add(total, _negated(term) if sign.text == "-" else term)
        return total

    def _product(self) -> Polynomial:
        total = self._signed()
        while self._peek().text in ("*", "/"):
            sign, start = self._take(), self._peek()
            factor = self._signed()
            if sign.text == "/":
                factor = {(): self._divisor(factor, start).inverse()}
            total = self._multiplied(total, factor, sign)
        return total

    def _signed(self) -> Polynomial:
        negative = False
        while self._peek().text in ("+", "-"):
            negative ^= self._take().text == "-"
        result = self._power()
        return _negated(result) if negative else result

    def _power(self) -> Polynomial:
        base = self._atom()
        if self._peek().text not in ("^", "**"):
            return base
        sign, token = self._take(), self._peek()
        if token.kind != "number" or "." in token.text:
            raise self._fault(f"expected a whole number as exponent, found {quoted(token)}", token)
        self._take()
        exponent = int(token.text) if len(token.text) < 5 else MOST_CHARACTERS
        self._degree(total_degree(base) * exponent, sign)
        if exponent > 100:
            raise self._fault(f"the exponent {token.text[:20]} is above 100", token)
        result = {(): Surd.rational(1)}
        for _ in range(exponent):
            result = self._multiplied(result, base, sign)
        return result

    def _atom(self) -> Polynomial:
        token = self._take()
        if token.text == "(":
            return self._closed(token)
        if token.kind == "number":
            return self._number(token)
        if token.kind == "name":
            return self._named(token)
        raise self._fault(f"expected {OPERAND}, found {quoted(token)}", token)

    def _closed(self, opening: Token) -> Polynomial:
        """Return the sum up to the ')' that closes ``opening``."""
        self.depth += 1
        if self.depth > _MOST_DEPTH:
            raise self._fault(f"parentheses are nested more than {_MOST_DEPTH} deep", opening)
        result = self._sum()
        self._expect(")", " or an operator")
        self.depth -= 1
        return result

    def _number(self, token: Token) -> Polynomial:
        if len(token.text) > _MOST_DIGITS:
            raise self._fault(f"a number must have at most {_MOST_DIGITS} digits", token)
        value = Surd.rational(Fraction(token.text))
        return {(): value} if value else {}

    def _named(self, token: Token) -> Polynomial:
        if token.text == "sqrt":
            return self._root()
        if re.fullmatch("z[0-9]+", token.text):
            return {((self._variable(token), 1),): Surd.rational(1)}
        if hermite := re.fullmatch("(He|h)([0-9]+)", token.text):
            return self._hermite(token, hermite[1] == "h", hermite[2])
        if token.text in ("He", "h", "z"):
            kind = "a variable such as z1" if token.text == "z" else f"a degree, as in {token.text}2(z1)"
            raise self._fault(f"{token.text!r} lacks its number: expected {kind}", token)
        if self._peek().text == "(" and token.text in LINK_NAMES:
            fault = f"{token.text} is a link, no polynomial: {WHERE_LINKS_GO.format(name=token.text, d=self.dim)}"
            raise self._fault(fault, token)
        raise self._fault(f"{token.text[:30]!r} is not known: expected {OPERAND}", token)

    def _root(self) -> Polynomial:
        start = self._expect("(")
        content = self._closed(start)
        if any(content):
            raise self._fault("sqrt takes a constant, not a polynomial", start)
        value = content.get((), Surd.rational(0))
        fraction = value.as_fraction()
        if float(value) < 0:
            raise self._fault("sqrt of a negative number is not real", start)
        if fraction is None:
            raise self._fault("sqrt takes a rational number such as sqrt(2/3), not another root", start)
        if max(fraction.numerator, fraction.denominator) > LARGEST_RADICAND:
            raise self._fault(f"numerator and denominator under sqrt must be at most {LARGEST_RADICAND}", start)
        root = Surd.root(fraction)
        return {(): root} if root else {}

    def _hermite(self, token: Token, normalised: bool, digits: str) -> Polynomial:
        degree = int(digits) if len(digits) < 5 else MOST_CHARACTERS
        self._degree(degree, token)
        polynomial = self._hermite_of(self._form(token), degree, token)
        if normalised:
            scale = Surd.root(math.factorial(degree)).inverse()
            polynomial = {index: value * scale for index, value in polynomial.items()}
        return polynomial

    def _form(self, token: Token) -> Polynomial:
        """Return the linear form in the parentheses behind the name of a Hermite polynomial."""
        opening, first = self._expect("("), self._peek()
        form = self._closed(opening)
        if (degree := total_degree(form)) != 1:
            found = f"a polynomial of degree {degree}" if degree else "a constant"
            fault = f"{token.text[:20]} takes a linear form such as z1 or (z1 + z2)/sqrt(2), not {found}"
            raise self._fault(fault, first)
        return form

    def _hermite_of(self, form: Polynomial, degree: int, token: Token) -> Polynomial:
        """Return He_degree of a linear form: He_{k+1} = l He_k - k He_{k-1}."""
        if len(form) == 1 and list(form.values()) == [Surd.rational(1)]:
            return hermite_as_powers(degree, variable=next(iter(form))[0][0])
        below, current = {(): Surd.rational(1)}, form
        for k in range(1, degree):
            step = {index: value * Surd.rational(-k) for index, value in below.items()}
            below, current = current, add(self._multiplied(form, current, token), step)
        return current if degree else below

    def _variable(self, token: Token) -> int:
        digits = token.text[1:]
        accepted = "only variable z1 is accepted" if self.dim == 1 else f"variables z1 to z{self.dim} are accepted"
        if digits.startswith("0"):
            raise self._fault(f"{token.text[:20]} is no variable: {accepted}", token)
        if len(digits) > 9 or int(digits) > self.dim:
            raise self._fault(f"it uses {token.text[:20]} but d = {self.dim}: {accepted}", token)
        self.variables += 1
        return int(digits)

    def _multiplied(self, first: Polynomial, second: Polynomial, sign: Token) -> Polynomial:
        if not first or not second:
            return {}
        self._degree(total_degree(first) + total_degree(second), sign)
        terms = [sum(len(c.terms) for c in polynomial.values()) for polynomial in (first, second)]
        self.products += terms[0] * terms[1]
        if self.products > _MOST_PRODUCTS:
            raise self._fault(f"it takes more than {_MOST_PRODUCTS} products of terms to expand", sign)
        result = multiply(first, second)
        if any(c.bits() > _MOST_BITS for c in result.values()):
            raise self._fault("a number becomes too large", sign)
        return result

    def _divisor(self, polynomial: Polynomial, start: Token) -> Surd:
        if any(polynomial):
            raise self._fault("division by a polynomial is not accepted, only by a constant", start)
        if not polynomial:
            raise self._fault("division by zero", start)
        if len(polynomial[()].primes()) > _MOST_DIVISOR_PRIMES:
            raise self._fault(f"the divisor holds more than {_MOST_DIVISOR_PRIMES} different roots", start)
        return polynomial[()]

    def _degree(self, degree: int, token: Token) -> None:
        if degree > MOST_DEGREE:
            shown = degree if degree < MOST_CHARACTERS else "very large"
            raise self._fault(f"the degree is {shown}: at most {MOST_DEGREE} is accepted", token)

    def _float_range(self, coefficient: Surd) -> None:
        try:
            size = abs(float(coefficient))
        except OverflowError:
            size = float("inf")
        if not 1e-100 < size < 1e100:
            raise TargetError(self.text, "a coefficient lies outside 1e-100 to 1e100 in size")

    def _peek(self) -> Token:
        return self.tokens[self.next]

    def _take(self) -> Token:
        token = self.tokens[self.next]
        self.next += token.kind != "end"
        return token

    def _expect(self, sign: str, alternative: str = "") -> Token:
        token = self._take()
        if token.text != sign:
            raise self._fault(f"expected {sign!r}{alternative}, found {quoted(token)}", token)
        return token

    def _fault(self, fault: str, token: Token) -> TargetError:
        return TargetError(self.text, fault, token.position)


def _negated(polynomial: Polynomial) -> Polynomial:
    return {index: -coefficient for index, coefficient in polynomial.items()}
