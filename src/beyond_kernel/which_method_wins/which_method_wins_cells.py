"""The experiment of which_method_wins that no other chapter has: the searches that know the link, at one dimension."""

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.exponents.links import as_link
from beyond_kernel.which_method_wins.measure_searches import SEARCHERS, samples_of_search

SEARCHES = tuple(label.replace(" ", "_") for label in SEARCHERS)
"""Names of what the cell returns, one a method."""


def known_link_cell(target: str, d: int, *, device: str = "cpu", seed: int) -> dict[str, float]:
    """Let the methods that know the link of a target look for its direction in d dimensions.

    Args:
        target: text of a target of one variable.
        d: input dimension, at least 3.
        device: where everything lies.
        seed: of starts and samples.

    Returns:
        By label with underscores, the median number of samples until the overlap is one half; NaN where half of the
        searches did not arrive, or where a method has no room for its steps in so small a dimension.

    Raises:
        BadParameter: if the target has more than one relevant direction, or is constant.
    """
    link = as_link(target).target
    if link is None or link.rank != 1:
        raise BadParameter(f"target = {target!r} is not accepted: these methods need a polynomial of one direction.")
    samples = [_samples(target, label, d, device, seed) for label in SEARCHERS]
    return dict(zip(SEARCHES, samples, strict=True))


def _samples(target: str, label: str, d: int, device: str, seed: int) -> float:
    try:
        return samples_of_search(target, label, d, seed, device)
    except BadParameter:  # a chain refuses dimensions in which its step sizes make no sense
        return float("nan")
