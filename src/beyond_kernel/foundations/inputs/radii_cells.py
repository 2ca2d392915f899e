"""The experiments on radii of chapter targets_and_inputs: each looks at one sample of a radial law."""

import math
from collections.abc import Sequence

import numpy as np
import torch

from beyond_kernel.checks import whole_number
from beyond_kernel.foundations.inputs.radial_inputs import radius_above
from beyond_kernel.foundations.inputs.radii import hill_exponent, ks_distance, sampled_radii


def radius_cell(law: str, d: int, n: int, *, device: str = "cpu", seed: int) -> dict[str, float]:
    """Draw n inputs of a radial law and compare their radii with the closed form.

    Args:
        law: a key of ``RADIAL_LAWS``.
        d: dimension, at least 2.
        n: number of draws, at least 40.
        device: where the draws are looked at.
        seed: seed of the draws.

    Returns:
        ``distance``, the Kolmogorov-Smirnov distance times sqrt(n); ``exponent``, Hill's estimate of the tail exponent
        from the largest fortieth of the radii.

    Raises:
        BadParameter: if an argument is out of range.

    Chapter: targets_and_inputs.
    """
    radii = sampled_radii(law, d, whole_number("n", n, least=40), seed, device)
    return {
        "distance": ks_distance(1 - radius_above(law, radii, d)) * math.sqrt(n),
        "exponent": hill_exponent(radii, n // 40),
    }


def above_cell(
    law: str, d: int, n: int, radii: Sequence[float], *, device: str = "cpu", seed: int
) -> dict[str, np.ndarray]:
    """Return ``above``: the share of n draws of a radial law beyond each radius; NaN where there is none.

    Args:
        law: a key of ``RADIAL_LAWS``.
        d: dimension, at least 2.
        n: number of draws.
        radii: ascending radii.
        device: where the draws are looked at.
        seed: seed of the draws.

    Raises:
        BadParameter: if an argument is out of range.

    Chapter: targets_and_inputs.
    """
    drawn = sampled_radii(law, d, n, seed, device).sort().values
    edges = torch.as_tensor(radii, dtype=drawn.dtype, device=drawn.device)
    beyond = n - torch.searchsorted(drawn, edges, right=True)
    return {"above": torch.where(beyond > 0, beyond.to(drawn) / n, math.nan).cpu().numpy()}


def radius_width_cell(law: str, d: int, n: int, *, device: str = "cpu", seed: int) -> dict[str, float]:
    """Draw n inputs of a radial law and return ``width``, the distance between the quartiles of |x|.

    Args:
        law: a key of ``RADIAL_LAWS``.
        d: dimension, at least 2.
        n: number of draws.
        device: where the draws are looked at.
        seed: seed of the draws.

    Raises:
        BadParameter: if an argument is out of range.

    Chapter: targets_and_inputs.
    """
    low, high = np.quantile(sampled_radii(law, d, n, seed, device).cpu().numpy(), [0.25, 0.75])
    return {"width": float(high - low)}


def running_mean_cell(law: str, d: int, n: int, *, device: str = "cpu", seed: int) -> dict[str, np.ndarray]:
    """Return ``mean``, that of |x| over the first 2^6, 2^7, ... of n draws, and ``largest``, one draw's part of it.

    Args:
        law: a key of ``RADIAL_LAWS``.
        d: dimension, at least 2.
        n: number of draws, at least 64.
        device: where the draws are looked at.
        seed: seed of the draws.

    Raises:
        BadParameter: if an argument is out of range.

    Chapter: targets_and_inputs.
    """
    radii = sampled_radii(law, d, whole_number("n", n, least=64), seed, device)
    firsts = [radii[: 2**power] for power in range(6, n.bit_length())]
    return {
        "mean": np.array([float(first.mean()) for first in firsts]),
        "largest": np.array([float(first.max()) / len(first) for first in firsts]),
    }
