"""The score of the norm: what the means of many frozen error-function features know of |x|.

With u ~ N(0, I_d / 4) the mean of erf(<u, x> + b) over u is erf(b / sqrt(1 + |x|^2 / 2)): a neuron with a positive bias
is, on average, large where |x| is small. Means over positive biases and over large biases fall at different rates, and
a difference of the two changes its sign at any radius that one likes.
"""

import math
from dataclasses import dataclass

import torch
from scipy.special import owens_t

from beyond_kernel.checks import BadParameter, real_number, vector

LARGE_BIAS = 1 / math.sqrt(2)
"""The bias above which a neuron belongs to the second group."""


def mean_feature(norms: torch.Tensor, large: bool = False) -> torch.Tensor:
    """Return E[erf(<u, x> + b) | b > 0], or the same for b > 1/sqrt(2), by the length of x.

    Args:
        norms: lengths |x|, at least 0, of shape (n,).
        large: whether the mean is over biases above 1/sqrt(2) only.

    Returns:
        (2/pi) arctan(1/sqrt(2 + |x|^2)), or 4 T(sqrt 2, 1/sqrt(2 + |x|^2)) / (1 - erf 1) with Owen's function T.

    Raises:
        BadParameter: if a length is negative or not finite.
        TypeError: if ``norms`` is no floating-point tensor.

    Source: Safran and Lee (2022), Proposition 21. Chapter: depth_separation.
    """
    if bool((vector("norms", norms) < 0).any()):
        raise BadParameter(f"norms holds {float(norms.min()):g}: every length must be at least 0.")
    slope = (2 + norms.square()).rsqrt()
    if not large:
        return torch.atan(slope) * (2 / math.pi)
    found = owens_t(math.sqrt(2), slope.detach().to("cpu", torch.float64).numpy()) * 4 / math.erfc(1)
    return torch.as_tensor(found, device="cpu").to(norms)


@dataclass(frozen=True)
class NormScore:
    """The function of |x| that is 0 at a radius, positive inside and negative outside, made of two mean features.

    Attributes:
        radius: where it is zero.
        balance: weight of the neurons of large bias against those of positive bias, negative of theirs.
        slope: derivative at the radius, below 0.
    """

    radius: float
    balance: float
    slope: float

    def __call__(self, norms: torch.Tensor) -> torch.Tensor:
        """Return E[erf | b > 0] - balance E[erf | b > 1/sqrt(2)] at these lengths, of shape (n,)."""
        return mean_feature(norms) - self.balance * mean_feature(norms, large=True)


def norm_score(radius: float) -> NormScore:
    """Return the score whose sign says on which side of a radius an input lies.

    Args:
        radius: of the ball, above 0.

    Raises:
        BadParameter: if the radius is not above 0.

    Source: the construction behind Safran and Lee (2022), Theorem 9; the slope is derived here.
    Chapter: depth_separation.

    >>> score = norm_score(1.0)
    >>> round(score.balance, 4), score.slope < 0
    (0.4717, True)
    """
    at = torch.tensor([real_number("radius", radius, above=0)], dtype=torch.float64, device="cpu")
    balance = float(mean_feature(at) / mean_feature(at, large=True))
    a = 1 / math.sqrt(2 + radius**2)
    # d/da of (2/pi) arctan a and of 4 T(sqrt 2, a) / erfc(1), times da/d|x| = -|x| a^3
    rates = 2 / math.pi / (1 + a**2), 4 / math.erfc(1) * math.exp(-(1 + a**2)) / (1 + a**2) / (2 * math.pi)
    return NormScore(float(radius), balance, -radius * a**3 * (rates[0] - balance * rates[1]))


def score_weights(b: torch.Tensor, balance: float) -> torch.Tensor:
    """Return weights of frozen neurons, so that their sum is the mean of one group less that of the other, balanced.

    A neuron of positive bias has the weight one over the number of these, a neuron of bias above 1/sqrt(2) loses
    balance over the number of those, and all others are silent.

    Args:
        b: biases of the neurons, of shape (m,).
        balance: weight of the second group, at least 0.

    Returns:
        The weights, of shape (m,).

    Raises:
        BadParameter: if a group is empty or a number is not finite.
        TypeError: if ``b`` is no floating-point tensor.

    Source: silencing neurons by the sign of their bias is the construction of Safran and Lee (2022), Theorem 9; these
    weights are derived here. Chapter: depth_separation.
    """
    real_number("balance", balance, least=0)
    positive, large = ((vector("b", b) > least).to(b) for least in (0, LARGE_BIAS))
    if not large.any():
        raise BadParameter(f"b holds no bias above {LARGE_BIAS:.3f} among {len(b)}: one group of neurons is empty.")
    return positive / positive.sum() - balance * large / large.sum()
