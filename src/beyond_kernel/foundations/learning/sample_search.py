"""How many samples a risk takes: sizes are tried one after the other until it is reached."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from beyond_kernel.checks import list_of, real_number, whole_number
from beyond_kernel.foundations.learning.measures import samples_to_reach

GROWTH = 2**0.5
"""Default factor between two sizes; a size found is no finer than that but for the interpolation between the two."""


@dataclass(frozen=True)
class SampleSearch:
    """The sizes that were tried, ascending, and the risk at each.

    Attributes:
        sizes: numbers of samples.
        risks: risk at each of them.
    """

    sizes: tuple[int, ...]
    risks: tuple[float, ...]

    def needed(self, threshold: float) -> float:
        """Return the size from which on the risk stays at or below a threshold, as far as sizes were tried.

        Args:
            threshold: risk to be reached.

        Returns:
            The size, interpolated in log n; NaN where the largest size did not get there, or none was tried.
        """
        return samples_to_reach(self.sizes, self.risks, threshold) if self.sizes else float("nan")


def search_samples(
    risk_at: Callable[[int], float],
    thresholds: Sequence[float],
    start: float,
    *,
    growth: float = GROWTH,
    n_min: int = 2,
    n_max: int = 3000,
) -> SampleSearch:
    """Try sizes until the lowest of several thresholds is reached, and below the start until the highest is not.

    From ``start`` the size grows by ``growth`` to the first one whose risk is at or below the lowest threshold. Where
    the first size is at or below the highest one already, smaller sizes are tried too, until one is above it.

    Args:
        risk_at: the risk at a number of samples; a sample of its own for each.
        thresholds: risks to be reached.
        start: first size, above 0.
        growth: factor between two sizes, above 1.
        n_min: smallest size that is tried; where its risk is still low enough, it is what ``needed`` returns.
        n_max: largest size that is tried.

    Raises:
        BadParameter: if there is no threshold, or an argument is out of range.

    Chapters: recursive_features, sample_complexity.

    >>> found = search_samples(lambda n: 40 / n, [0.5, 0.25], start=40.0, growth=2.0)
    >>> found.sizes, round(found.needed(0.5)), round(found.needed(0.25))
    ((40, 80, 160), 80, 160)
    """
    levels = list_of("thresholds", thresholds, lambda name, value: real_number(name, value, above=0))
    least, most = whole_number("n_min", n_min), whole_number("n_max", n_max)
    first, factor = max(real_number("start", start, above=0), least), real_number("growth", growth, above=1)
    size, found = first, {}
    while size <= most:
        found[int(size)] = risk_at(int(size))
        if found[int(size)] <= min(levels):
            break
        size *= factor
    size = first / factor
    while found and found[min(found)] <= max(levels) and size >= least:
        found[int(size)] = risk_at(int(size))
        size /= factor
    sizes = sorted(found)
    return SampleSearch(tuple(sizes), tuple(found[n] for n in sizes))
