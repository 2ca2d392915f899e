"""Radii of a sample of a radial law, and how far a sample is from a law: Kolmogorov's distance, Hill's exponent."""

import torch
from scipy.special import kolmogi

from beyond_kernel.checks import BadParameter, real_number, vector, whole_number
from beyond_kernel.foundations.inputs.radial_inputs import RADIAL_LAWS, radius_above
from beyond_kernel.random_streams import generator_for


def sampled_radii(law: str, d: int, n: int, seed: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """Return the radii of n inputs of a radial law, float64 (n,), unsorted.

    Args:
        law: a key of ``RADIAL_LAWS``.
        d: dimension, at least 2.
        n: number of draws.
        seed: seed of the draws.
        device: where they lie; all devices see the same draws.

    Raises:
        BadParameter: if an argument is out of range.

    Chapter: targets_and_inputs.
    """
    radius_above(law, torch.ones(1, device="cpu"), d)  # refuses an unknown law and a small d
    return RADIAL_LAWS[law](n, d, generator_for(seed, "radii", law, d)).to(device).norm(dim=1)


def ks_distance(levels: torch.Tensor) -> float:
    """Return the Kolmogorov-Smirnov distance of a sample from its law: the largest gap between the two CDFs.

    Args:
        levels: the law's CDF at the n sample points, in any order, shape (n,).

    Raises:
        BadParameter: if it is empty or not finite.

    Source: Kolmogorov's statistic. Chapter: targets_and_inputs.
    """
    ordered = vector("levels", levels).double().sort().values
    steps = torch.arange(len(ordered) + 1, dtype=torch.float64, device=ordered.device) / len(ordered)
    return float(torch.maximum((steps[1:] - ordered).max(), (ordered - steps[:-1]).max()))


def ks_limit(count: int, chance: float = 0.001) -> float:
    """Return what sqrt(n) times the distance exceeds in at least one of ``count`` right samples with this chance.

    Args:
        count: number of independent samples, at least 1.
        chance: between 0 and 1, both excluded; Bonferroni shares it out.

    Raises:
        BadParameter: if an argument is out of range.

    Source: Kolmogorov's limit law. Chapter: targets_and_inputs.
    """
    whole_number("count", count)
    if real_number("chance", chance, above=0) >= 1:
        raise BadParameter(f"chance = {chance!r} is out of range: it must be below 1.")
    return float(kolmogi(chance / count))


def hill_exponent(radii: torch.Tensor, count: int) -> float:
    """Return Hill's estimate of a in P(|x| > r) ~ r^-a: one over the mean of log(r_i / r_0) over the largest radii.

    Args:
        radii: positive radii, shape (n,).
        count: how many of the largest enter, below n; r_0 is the next one. The relative error is 1 / sqrt(count).

    Raises:
        BadParameter: if ``count`` is out of range.

    Source: Hill (1975). Chapter: targets_and_inputs.
    """
    whole_number("count", count, most=len(vector("radii", radii)) - 1)
    largest = radii.sort(descending=True).values[: count + 1].log()
    return float(1 / (largest[:-1] - largest[-1]).mean())
