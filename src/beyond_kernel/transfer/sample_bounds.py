"""What is known of samples outside the sizes that were run: more than the largest, or fewer than the smallest."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray

from beyond_kernel.checks import BadParameter


@dataclass(frozen=True)
class Bounds:
    """Ends between which a quantity lies: equal where it is known, infinite where nothing is known on that side.

    Attributes:
        low: lower end, a number or an array.
        high: upper end, of the same shape.
    """

    low: Any
    high: Any

    def __sub__(self, other: "Bounds") -> "Bounds":
        """Return the ends of a difference."""
        return Bounds(self.low - other.high, self.high - other.low)

    def through(self, rising: Callable[[Any], Any]) -> "Bounds":
        """Return the ends of an image.

        Args:
            rising: a function that does not fall in any of the values: a logarithm, a mean, a median.
        """
        return Bounds(rising(self.low), rising(self.high))

    def deciding(self, at_least: float = -np.inf, at_most: float = np.inf) -> float:
        """Return the end that decides whether a claim holds, given its tolerance on one side.

        Args:
            at_least: lower end of what is accepted.
            at_most: upper end of what is accepted; one of the two is to be given.

        Returns:
            The end at which a claim fails at best, or holds at worst; NaN where the ends disagree.

        Raises:
            BadParameter: if not exactly one side is given.

        >>> wide = Bounds(2.0, np.inf)
        >>> wide.deciding(at_least=1), wide.deciding(at_most=1), wide.deciding(at_most=3)
        (2.0, 2.0, nan)
        """
        if np.isfinite(at_least) == np.isfinite(at_most):
            raise BadParameter(f"at_least = {at_least} and at_most = {at_most}: exactly one of them is to be finite.")
        low, high = float(self.low), float(self.high)
        accepted = [at_least <= end <= at_most for end in (low, high)]
        if accepted[0] != accepted[1]:
            return float("nan")
        best, worst = (low, high) if np.isfinite(at_most) else (high, low)
        return worst if accepted[0] else best

    def in_words(self) -> str:
        """Return what is known of a number that is not negative, to two digits after the point.

        >>> Bounds(1.5, 1.5).in_words(), Bounds(1.5, np.inf).in_words(), Bounds(0.0, 1.5).in_words()
        ('1.50', 'at least 1.50', 'at most 1.50')
        >>> Bounds(1.0, 1.5).in_words(), Bounds(0.0, np.inf).in_words()
        ('between 1.00 and 1.50', 'an unknown number of')
        """
        if self.low == self.high:
            return f"{self.low:.2f}"
        if np.isfinite(self.high):
            return f"between {self.low:.2f} and {self.high:.2f}" if self.low > 0 else f"at most {self.high:.2f}"
        return f"at least {self.low:.2f}" if self.low > 0 else "an unknown number of"


def known(samples: xarray.DataArray, most: float | xarray.DataArray, least: float | xarray.DataArray) -> Bounds:
    """Return the samples that are needed where they are known, and what the sizes that were run leave open elsewhere.

    Where the largest size was not enough, the samples lie between it and infinity; where the smallest was enough
    already, between one sample and it.

    Args:
        samples: numbers of samples as ``samples_to_reach`` gives them; NaN where the largest size was not enough, the
            smallest size where that was enough.
        most: largest size that was run, one for all or an array along some of the dimensions.
        least: smallest size that was run, likewise.

    Chapter: frozen_representation.
    """
    enough = samples <= least
    return Bounds(samples.fillna(most).where(~enough, 1.0), samples.fillna(np.inf))


def known_growth(samples: xarray.DataArray, most: float, least: float) -> Bounds:
    """Return the slope of log N against log d for each seed, where a dimension that is not known bounds it.

    The slope is a sum of logarithms, with weights above 0 in the upper dimensions and below 0 in the lower ones. More
    samples than ``most`` make it steeper in the upper ones, by nobody knows how much, and flatter in the lower ones;
    fewer than ``least`` the other way round.

    Args:
        samples: with the dimension ``d``; NaN where the threshold was not reached.
        most: largest size that was run.
        least: smallest size that was run.

    Chapter: frozen_representation.
    """
    logs = known(samples, most, least).through(np.log)
    place = np.log(samples.d) - np.log(samples.d).mean()
    weights = place / (place**2).sum()

    def total(upper: xarray.DataArray, lower: xarray.DataArray) -> xarray.DataArray:
        parts = weights * xarray.where(weights > 0, upper, lower)
        return parts.where(abs(weights) > 1e-9, 0.0).sum("d")  # 0 times infinity in the middle is 0

    return Bounds(total(logs.low, logs.high), total(logs.high, logs.low))
