"""What is known of samples that were not reached: more than the largest size that was run, and nothing above that."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray

from beyond_kernel.checks import BadParameter
from beyond_kernel.transfer.sample_savings import growth


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


def known(samples: xarray.DataArray, most: float | xarray.DataArray) -> Bounds:
    """Return the samples that are needed where they are known, and the largest size and infinity where they are not.

    Args:
        samples: numbers of samples; NaN where the largest size that was run was not enough.
        most: that size, one for all or an array along one of the dimensions.

    Chapter: frozen_representation.
    """
    return Bounds(samples.fillna(most), samples.fillna(np.inf))


def known_growth(samples: xarray.DataArray, most: float) -> Bounds:
    """Return the slope of log N against log d for each seed, where a dimension that was not reached bounds it.

    The slope is a sum of logarithms, with weights above 0 in the upper dimensions and below 0 in the lower ones. More
    samples than ``most`` make it steeper in the upper ones, by nobody knows how much, and flatter in the lower ones.

    Args:
        samples: with the dimension ``d``; NaN where the threshold was not reached.
        most: largest size that was run.

    Chapter: frozen_representation.
    """
    slopes, missing = growth(samples.fillna(most)), samples.isnull()
    place = np.log(samples.d / np.exp(np.log(samples.d).mean()))
    steeper, flatter = (missing & (place > 0)).any("d"), (missing & (place < 0)).any("d")
    return Bounds(slopes.where(~flatter, -np.inf), slopes.where(~steeper, np.inf))
