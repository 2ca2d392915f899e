"""The ledger of a chapter: each claim with its source, its tolerance, what was measured and whether it holds.

A claim without a verdict is one of two kinds: the parameters leave the range for which it is made, or the run could not
measure what it is about.
"""

import math
import re
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from beyond_kernel.checks import BadParameter, real_number
from beyond_kernel.tables import MISSING, Table, number, table, unsigned_zeros

MIME = "application/vnd.beyond-kernel.claims+json"
"""Media type under which a chapter hands its claims to the build."""


@dataclass(frozen=True)
class Claim:
    """One claim of a chapter; ``holds`` is None outside the range claimed, and where nothing could be measured.

    Attributes:
        id: "chapter/name".
        statement: one sentence.
        source: paper and statement, or "measured here".
        test: name of the test that guards the code behind it.
        predicted: what theory or the plan says, as a number or in words.
        measured: the number that decides.
        spread: standard deviation or range over seeds, in words; empty where there is one number only.
        tolerance: the comparison in words, such as "at least 0.65".
        why: reason for the tolerance.
        holds: True, False or None.
        outside: why the claim is not made for these parameters; empty where it is made.
        unmeasured: why this run could not measure it; empty where it was measured.
    """

    id: str
    statement: str
    source: str
    test: str
    predicted: float | str
    measured: float
    spread: str
    tolerance: str
    why: str
    holds: bool | None
    outside: str
    unmeasured: str


class Ledger:
    """Collects the claims of one chapter, prints the verdict and emits the numbers.

    Args:
        chapter: the chapter's name, which becomes the first half of every id.

    >>> ledger = Ledger("one_step")
    >>> about = {"source": "measured here", "test": "test_overlap", "predicted": 1.0, "why": "noise"}
    >>> ledger.claim("overlap", "Neurons turn.", measured=0.9, at_least=0.65, **about).holds
    True
    """

    def __init__(self, chapter: str) -> None:
        self.chapter = _words("chapter", chapter)
        self.claims: dict[str, Claim] = {}

    def claim(
        self,
        name: str,
        statement: str,
        *,
        source: str,
        test: str,
        measured: float,
        predicted: float | str,
        why: str,
        at_least: float | None = None,
        at_most: float | None = None,
        spread: Any = None,
        outside: str | None = None,
        unmeasured: str | None = None,
    ) -> Claim:
        """State a claim and decide it: it holds if ``at_least`` <= measured <= ``at_most``, whichever are given.

        It gets no verdict where it is not made, or could not be measured for a known reason; a measurement that is
        missing without one fails. Stating the same name again replaces the earlier claim: a cell can be run twice.

        Args:
            name: second half of the id, lower case with underscores.
            statement: one sentence, free of measured numbers, for the verdict.
            source: paper and statement, or "measured here".
            test: name of the test function that guards the code behind the claim.
            measured: the number that decides; NaN where there is none.
            predicted: what is expected.
            why: reason for the tolerance.
            at_least: lower end of the accepted range.
            at_most: upper end of the accepted range.
            spread: values over seeds, whose smallest and largest are kept; or None.
            outside: why the claim is not made at these parameters; None where it is made.
            unmeasured: why ``measured`` is NaN, if it is; with a number it means nothing.

        Raises:
            BadParameter: if a text is missing or blank, the name is malformed or no end of the range is given.
        """
        _identifier(name)
        texts = {"statement": statement, "source": source, "test": test, "why": why}
        _all_words(texts, {"outside": outside, "unmeasured": unmeasured})
        if at_least is None and at_most is None:
            raise BadParameter(f"claim {name!r} has no tolerance: give at_least, at_most or both.")
        missing = unmeasured if math.isnan(float(measured)) and not outside else None
        claim = Claim(
            id=f"{self.chapter}/{name}",
            statement=statement,
            source=source,
            test=test,
            predicted=predicted if isinstance(predicted, str) else float(predicted),
            measured=float(measured),
            spread=_range(spread),
            tolerance=_tolerance(at_least, at_most),
            why=why,
            holds=None if outside or missing else _holds(float(measured), at_least, at_most),
            outside=outside or "",
            unmeasured=missing or "",
        )
        self.claims[name] = claim
        return claim

    def verdict(self) -> None:
        """Print one line a claim in words that do not change with rounding.

        Raises:
            BadParameter: if no claim was made.
        """
        if not self.claims:
            raise BadParameter(f"chapter {self.chapter!r} makes no claim: state at least one before the verdict.")
        for claim in self.claims.values():
            print(f"{_verdict(claim)}  {claim.id}: {claim.statement} [{claim.tolerance}]")

    def emit(self) -> None:
        """Display the numbers behind the verdicts, and hand the claims to the build as data of type ``MIME``."""
        from IPython.display import display

        data = [asdict(claim) for claim in self.claims.values()]
        for row in data:
            for key in ("predicted", "measured"):
                if isinstance(row[key], float) and not math.isfinite(row[key]):
                    row[key] = str(row[key])  # JSON knows no NaN
        claims = list(self.claims.values())
        shown = {"text/html": _numbers(claims)._repr_html_(), "text/plain": "\n".join(map(_line, claims))}
        display({MIME: data, **shown}, raw=True)


def _numbers(claims: list[Claim]) -> Table:
    """Return the table of the numbers behind the verdicts; each number is rounded by itself."""
    columns = {
        "claim": [claim.statement for claim in claims],
        "measured": [number(claim.measured) for claim in claims],
        "predicted": [number(claim.predicted) for claim in claims],
        "tolerance": [claim.tolerance for claim in claims],
        "range over seeds": [claim.spread or MISSING for claim in claims],
    }
    return table(columns, caption="The numbers behind the verdicts.")


def _line(claim: Claim) -> str:
    spread = f" (range {claim.spread})" if claim.spread else ""
    measured, predicted = number(claim.measured), number(claim.predicted)
    return f"{claim.id}: measured {measured}{spread}, predicted {predicted}, tolerance {claim.tolerance}"


def _verdict(claim: Claim) -> str:
    if claim.unmeasured:
        return f"COULD NOT BE MEASURED HERE ({claim.unmeasured})"
    if claim.holds is None:
        return f"OUTSIDE THE RANGE CLAIMED ({claim.outside})"
    return "HOLDS" if claim.holds else "DOES NOT HOLD"


def _holds(measured: float, at_least: float | None, at_most: float | None) -> bool:
    if math.isnan(measured):
        return False
    return (at_least is None or measured >= at_least) and (at_most is None or measured <= at_most)


def _tolerance(at_least: float | None, at_most: float | None) -> str:
    parts = []
    if at_least is not None:
        parts.append(f"at least {real_number('at_least', at_least):g}")
    if at_most is not None:
        parts.append(f"at most {real_number('at_most', at_most):g}")
    return " and ".join(parts)


def _range(spread: Any) -> str:
    if spread is None:
        return ""
    values = np.asarray(spread, dtype=float).ravel()
    if np.isnan(values).all():
        return ""
    return unsigned_zeros(f"{np.nanmin(values):.3g} to {np.nanmax(values):.3g} over {len(values)}")


def _words(name: str, text: Any) -> str:
    if not isinstance(text, str) or not text.strip():
        raise BadParameter(f"{name} = {text!r} is not accepted: it must be a sentence or a name.")
    return text


def _identifier(name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise BadParameter(f"name = {name!r} is not accepted: lower-case letters, digits and underscores only.")


def _all_words(texts: dict[str, Any], reasons: dict[str, Any]) -> None:
    """Refuse a text that is missing or blank; a reason may be None."""
    for label, text in (texts | {label: reason for label, reason in reasons.items() if reason is not None}).items():
        _words(label, text)
