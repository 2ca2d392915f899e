"""The stored sweep: risks of the book's methods on six targets, by dimension and sample size, read without torch.

``python -m beyond_kernel.which_method_wins.measure_needs`` measures it; a test measures a tenth of it again.
"""

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

from beyond_kernel.checks import BadParameter, one_of, real_number

TARGETS = {
    "the book's": "(h2(z1) - h2(z2) + h2(z1)*h2(z2) + h3(z1))/2",
    "degree two": "(h2(z1) + z1*z2)/sqrt(2)",
    "exponent 1": "(z1 + h3(z1))/sqrt(2)",
    "exponent 2": "(h2(z1) + h3(z1))/sqrt(2)",
    "exponent 3": "h3(z1)",
    "rank three": "(z1*z2 + z2*z3 + z1*z3 + z1*z2*z3)/2",
}
"""Texts of the six targets, each of mean 0 and variance 1, by a name."""
DATA = Path(__file__).with_name("stored_needs.csv")
PROVENANCE = DATA.with_suffix(".json")
NOISE = 0.1
"""Standard deviation of the label noise in the whole sweep."""


@dataclass(frozen=True)
class Need:
    """What was measured of one method on one target in one dimension.

    Attributes:
        target: text of the target.
        learner: label of the method.
        d: input dimension.
        sizes: numbers of training samples, ascending.
        risks: at each size the risk of each seed, E (f - f*)^2 / Var f*.
        seconds: at each size the CPU seconds of one run, test included, on one core; median over seeds.
    """

    target: str
    learner: str
    d: int
    sizes: tuple[int, ...]
    risks: tuple[tuple[float, ...], ...]
    seconds: tuple[float, ...]


@dataclass(frozen=True)
class SearchNeed:
    """Samples with which a method that knows the link finds its direction.

    Attributes:
        target: text of the target, of one variable.
        learner: label of the method.
        d: input dimension.
        samples: until the overlap is one half, median over searches; NaN where half of them did not arrive.
    """

    target: str
    learner: str
    d: int
    samples: float


@cache
def stored_needs() -> tuple[Need, ...]:
    """Return the rows of the stored sweep, one for each target, method and dimension.

    Chapter: which_method_wins.

    >>> {need.learner for need in stored_needs()} >= {"Gaussian kernel", "one step", "recursive features"}
    True
    """
    found: dict[tuple[str, str, int], list[dict[str, str]]] = {}
    for row in _rows("risk"):
        found.setdefault((row["target"], row["learner"], int(row["d"])), []).append(row)
    return tuple(_need(*key, rows) for key, rows in found.items())


@cache
def stored_searches() -> tuple[SearchNeed, ...]:
    """Return what the methods need that know the link, by the exact chains of their overlap, on three targets.

    Chapter: which_method_wins.
    """
    rows = _rows("search")
    return tuple(SearchNeed(row["target"], row["learner"], int(row["d"]), float(row["values"])) for row in rows)


def provenance() -> dict[str, Any]:
    """Return by what the stored sweep was measured: function, parameters, versions, date, seconds.

    Chapter: which_method_wins.
    """
    return json.loads(PROVENANCE.read_text(encoding="utf-8"))


def needed(need: Need, threshold: float) -> tuple[float, ...]:
    """Return for each seed the size from which on the risk stays at or below a threshold, interpolated in log n.

    Args:
        need: a row of the sweep.
        threshold: risk to be reached, above 0.

    Returns:
        One number a seed; infinite where the largest size did not get there, the smallest size if none is above.

    Raises:
        BadParameter: if the threshold is not above 0.

    Chapter: which_method_wins.

    >>> row = Need("z1", "one step", 8, (100, 1000), ((0.5, 0.1), (0.1, 0.5)), (0.1, 0.2))
    >>> [round(n) for n in needed(row, 0.5)[:1]], needed(row, 0.3)[1]
    ([100], inf)
    """
    level = real_number("threshold", threshold, above=0)
    return tuple(_reached(need.sizes, risks, level) for risks in zip(*need.risks, strict=True))


def middle_need(need: Need, threshold: float) -> float:
    """Return the median over seeds of ``needed``, infinite where half of the seeds did not get there.

    Args:
        need: a row of the sweep.
        threshold: risk to be reached, above 0.

    Raises:
        BadParameter: if the threshold is not above 0.

    Chapter: which_method_wins.
    """
    return median(needed(need, threshold))


def needs_of(target: str, learner: str) -> tuple[Need, ...]:
    """Return the rows of one target and one method, by ascending dimension; none where it was not measured.

    Args:
        target: text of one of ``TARGETS``.
        learner: label of a method.

    Raises:
        BadParameter: if the sweep does not hold the target.

    Chapter: which_method_wins.
    """
    one_of("target", target, list(TARGETS.values()))
    return tuple(sorted((n for n in stored_needs() if (n.target, n.learner) == (target, learner)), key=lambda n: n.d))


def _rows(kind: str) -> list[dict[str, str]]:
    with DATA.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["kind"] == kind]


def _need(target: str, learner: str, d: int, rows: Sequence[dict[str, str]]) -> Need:
    rows = sorted(rows, key=lambda row: int(row["n"]))
    risks = tuple(tuple(map(float, row["values"].split())) for row in rows)
    if len({len(at) for at in risks}) > 1:
        raise BadParameter(f"{DATA.name} is damaged: {learner!r} at d = {d} has not one number of seeds at all sizes.")
    return Need(
        target, learner, d, tuple(int(row["n"]) for row in rows), risks, tuple(float(r["seconds"]) for r in rows)
    )


def _reached(sizes: Sequence[int], risks: Sequence[float], level: float) -> float:
    above = [place for place, risk in enumerate(risks) if risk > level]
    if not above:
        return float(sizes[0])
    last = above[-1]
    if last == len(sizes) - 1:
        return math.inf
    share = (risks[last] - level) / (risks[last] - risks[last + 1])
    return sizes[last] * (sizes[last + 1] / sizes[last]) ** share
