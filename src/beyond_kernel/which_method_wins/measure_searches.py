"""The rows of the stored sweep for methods that know the link: samples until the direction is found, by exact chains.

They are no rivals of the learners: their goal is an overlap, not a risk, and the link is told to them.
"""

from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

from beyond_kernel.checks import one_of, whole_number
from beyond_kernel.feature_learning.information_exponent_cells import hitting_cell
from beyond_kernel.feature_learning.search_cells import LEVEL, reuse_cell, smoothing_cell, spectral_cell
from beyond_kernel.foundations.learning.sample_search import search_samples
from beyond_kernel.which_method_wins.stored_needs import NOISE, TARGETS

DIMS = (32, 64, 128)
"""Dimensions of the searches; below 32 smoothing has no room between a random start and its second stage."""
SEARCHES = 64
"""Searches behind each median of a chain."""
ESTIMATES = 9
"""Samples behind each median of the spectral method."""
SEED = 100


def search_rows() -> Iterator[dict[str, Any]]:
    """Yield the lines of the sweep for the three targets of one variable.

    Chapter: which_method_wins.
    """
    for name in ("exponent 1", "exponent 2", "exponent 3"):
        for learner in SEARCHERS:
            for d in DIMS:
                samples = samples_of_search(TARGETS[name], learner, d)
                about = {"kind": "search", "target": TARGETS[name], "learner": learner, "d": d}
                yield about | {"values": f"{samples:.6g}"}


def samples_of_search(target: str, learner: str, d: int, seed: int = SEED, device: str = "cpu") -> float:
    """Return the median number of samples with which |<u, w>| reaches one half, NaN where half do not arrive.

    Args:
        target: text of a target of one variable.
        learner: label of a method that knows the link.
        d: input dimension.
        seed: of starts and samples.
        device: where everything lies.

    Raises:
        BadParameter: if the label is unknown; as the cell of the method.

    Chapter: which_method_wins.
    """
    search = SEARCHERS[one_of("learner", learner, list(SEARCHERS))]
    return float(search(target, whole_number("d", d), {"device": device, "seed": seed}))


def _online(link: str, d: int, how: dict[str, Any]) -> float:
    return hitting_cell(link, [d], 1, SEARCHES, NOISE, **how)["median"][0]


def _smoothed(link: str, d: int, how: dict[str, Any]) -> float:
    return smoothing_cell(link, [d], 1, SEARCHES, **how)["median"][0]


def _reused(link: str, d: int, how: dict[str, Any]) -> float:
    return reuse_cell(link, [d], 0.0, 1, SEARCHES, **how)["median"][0]


def _spectral(link: str, d: int, how: dict[str, Any]) -> float:
    """Return n from which on the median overlap over samples is at least the level, with the bell of the label."""
    first, device = how["seed"], how["device"]

    def missing(n: int) -> float:
        seeds = range(first, first + ESTIMATES)
        return 1 - median(spectral_cell(link, d, n / d, "bell", device=device, seed=seed)["overlap"] for seed in seeds)

    return search_samples(missing, [1 - LEVEL], d, n_max=32 * d).needed(1 - LEVEL)


SEARCHERS: dict[str, Callable[[str, int, dict[str, Any]], float]] = {
    "online SGD": _online,
    "smoothed SGD": _smoothed,
    "reused batch": _reused,
    "spectral method": _spectral,
}
"""The methods by their labels; labels have noise in the first, as in the rest of the sweep, and none in the others."""
