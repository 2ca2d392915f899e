"""What stands in front of an order d^a: constants of methods, from the samples that a sweep has measured."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from beyond_kernel.checks import BadParameter


@dataclass(frozen=True)
class Measured:
    """The samples that one method needed for one target in one dimension.

    Attributes:
        target: text of the target.
        d: dimension.
        n: samples, the median over seeds; NaN where half of the seeds did not get there.
    """

    target: str
    d: int
    n: float


@dataclass(frozen=True)
class Constant:
    """n = middle d^exponent, with the range that was measured.

    Attributes:
        exponent: power of d.
        middle: the median over targets of what stands in front, each target the geometric mean over its dimensions.
        low: the smallest over targets and dimensions.
        high: the largest.
        centre: the geometric mean of the dimensions.
        error: standard error of a fitted exponent, 0 of one that theory gives.
        targets: texts of the targets behind it.
    """

    exponent: float
    middle: float
    low: float
    high: float
    centre: float
    error: float
    targets: tuple[str, ...]

    def samples(self, d: int) -> tuple[float, float, float]:
        """Return n in dimension d with its range, which two standard errors of the exponent widen away from the centre.

        Args:
            d: dimension.
        """
        power, wider = float(d) ** self.exponent, (d / self.centre) ** (2 * self.error)
        least, most = sorted((wider, 1 / wider))
        return self.middle * power, self.low * power * least, self.high * power * most


def order_constant(rows: Sequence[Measured], exponent: float | None, own: Sequence[str] = ()) -> Constant | None:
    """Return the constant of a method; None where nothing was measured.

    Args:
        rows: what was measured; those that did not get there are left out.
        exponent: of d, by theory; None to fit one slope of log n against log d to all targets, each with a level of
            its own.
        own: texts of targets whose rows alone give the constant; all where there are none.

    Raises:
        BadParameter: if a row has a dimension or a size that is not above 0.

    Chapter: which_method_wins.

    >>> rows = [Measured("z1*z2", d, 3.0 * d**2) for d in (8, 16)]
    >>> round(order_constant(rows, None).samples(100)[0])
    30000
    """
    if bad := [row for row in rows if row.d <= 0 or row.n <= 0]:
        raise BadParameter(f"rows holds {bad[0]}: d and n must be above 0.")
    known = [row for row in rows if math.isfinite(row.n)]
    if exponent is None:
        power, error = _slope(known)
    else:
        power, error = exponent, 0.0
    chosen = [row for row in known if row.target in own] if own else known
    if not chosen or not math.isfinite(power):
        return None
    return _constant(chosen, power, error)


def _constant(rows: Sequence[Measured], exponent: float, error: float) -> Constant:
    by_target: dict[str, list[float]] = {}
    for row in rows:
        by_target.setdefault(row.target, []).append(row.n / row.d**exponent)
    everything = [value for values in by_target.values() for value in values]
    return Constant(
        exponent,
        statistics.median(statistics.geometric_mean(values) for values in by_target.values()),
        min(everything),
        max(everything),
        statistics.geometric_mean(row.d for row in rows),
        error,
        tuple(by_target),
    )


def _slope(rows: Sequence[Measured]) -> tuple[float, float]:
    """Return the common slope of log n against log d within targets, and its standard error; NaN where none can be."""
    by_target: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        by_target.setdefault(row.target, []).append((math.log(row.d), math.log(row.n)))
    pairs = []
    for points in by_target.values():
        x, y = (statistics.fmean(values) for values in zip(*points, strict=True))
        pairs += [(a - x, b - y) for a, b in points]
    spread = sum(a * a for a, _ in pairs)
    if not spread:
        return math.nan, math.nan
    slope = sum(a * b for a, b in pairs) / spread
    freedom = max(len(pairs) - len(by_target) - 1, 1)
    return slope, math.sqrt(sum((b - slope * a) ** 2 for a, b in pairs) / freedom / spread)
