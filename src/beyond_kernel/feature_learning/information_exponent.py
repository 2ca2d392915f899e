"""How long online SGD searches for one hidden direction: step sizes and predicted times, from the link."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from beyond_kernel.checks import BadParameter, list_of, real_number, whole_number
from beyond_kernel.feature_learning.overlap_chain import correlation_rule, overlap_paths, start_overlaps
from beyond_kernel.feature_learning.overlap_equation import overlap_equation
from beyond_kernel.feature_learning.scaled_link import ScaledLink, learning_link
from beyond_kernel.foundations.exponents.exponents import information_exponent
from beyond_kernel.foundations.exponents.links import AnyLink
from beyond_kernel.foundations.targets.hermite import hermite_coefficients

MEDIAN_START = 0.6745
"""The median of a standard normal |z|; a random unit vector starts at the overlap 0.67 / sqrt(d), in the median."""
_TIMED = 2048


@dataclass(frozen=True, eq=False)
class Search:
    """Online SGD on the correlation loss -y g(<w, x>) with the activation g equal to the link f of the labels.

    At a small overlap m the drift of a step of size eta is eta k c^2 m^(k-1), with c = E[f h_k] and k the information
    exponent, and its noise has the size eta^2 E f'^2 (1 + noise^2) in each direction. The step size is

        eta = pace * (k c^2 / (E f'^2 (1 + noise^2))) * (1/d, 1/(d log d), d^(-k/2) for k = 1, 2, from 3 on):

    the powers are those of Ben Arous et al., and the factor, which is one for f = h_k, keeps the ratio of drift to
    noise the same for all links.

    Attributes:
        link: f, scaled to mean zero and variance one.
        exponent: k, the information exponent.
        coefficient: c = E[f h_k].
        roughness: E f'^2.
        noise: standard deviation of Gaussian noise on the label, in units of that of the label.
        pace: the factor above.

    Source: Ben Arous, Gheissari and Jagannath (2021), for the powers of d. Chapter: information_exponent.
    """

    link: ScaledLink
    exponent: int
    coefficient: float
    roughness: float
    noise: float
    pace: float

    def rates(self, dims: torch.Tensor) -> torch.Tensor:
        """Return the step size at each dimension, float64 of shape (R,), on the device of ``dims``."""
        d, k = dims.double(), self.exponent
        scale = 1 / d if k == 1 else 1 / (d * d.log()) if k == 2 else d ** (-k / 2)
        balance = k * self.coefficient**2 / (self.roughness * (1 + self.noise**2))
        return self.pace * balance * scale

    def order(self, d: int) -> float:
        """Return the order of the steps to be expected, d, d log(d)^2 or d^(k-1), without a constant."""
        k = self.exponent
        return float(d) if k == 1 else d * math.log(d) ** 2 if k == 2 else float(d) ** (k - 1)

    def steps(self, d: int, level: float = 0.5) -> float:
        """Return the steps that the differential equation of the overlap takes from a median start to a level.

        Args:
            d: dimension, at least 3.
            level: of the overlap, above that of the start.

        Raises:
            BadParameter: if d or the level is out of range.

        Source: derived here. Chapter: information_exponent.
        """
        start = MEDIAN_START / math.sqrt(whole_number("d", d, least=3))
        rule = correlation_rule(self.link, self.rates(torch.tensor([d], device="cpu")))
        return overlap_equation(self.link, rule, d, self.noise).steps_to(level, start)


def plan_search(link: AnyLink | ScaledLink, noise: float = 0.0, pace: float = 0.5) -> Search:
    """Return exponent, step sizes and predicted times of the search for the direction of a link.

    Args:
        link: a name such as "he3" or "relu", the text of a polynomial in z1, or a callable.
        noise: standard deviation of Gaussian noise on the label, in units of that of the label, at least 0.
        pace: the step size in units of its order, above 0; from about 1 on the search of many links stalls.

    Raises:
        BadParameter: if the link is constant, depends on several directions, has no second moment or no derivative
            to learn by, if its exponent is not decided, or if a number is out of range.

    Source: Ben Arous, Gheissari and Jagannath (2021). Chapter: information_exponent.

    >>> search = plan_search("z1^3 - 3*z1")
    >>> search.exponent, round(search.coefficient, 9)
    (3, 1.0)
    """
    real_number("noise", noise, least=0), real_number("pace", pace, above=0)
    f = learning_link(link)
    k = information_exponent(f.link)
    coefficient = float(hermite_coefficients(f, k, f.link.breakpoints)[k])
    roughness = float(hermite_coefficients(lambda z: f.derivative(z) ** 2, 0, f.link.breakpoints)[0])
    return Search(f, k, coefficient, roughness, noise, pace)


def ascending_dims(name: str, value: Any, least: int = 3, most: int = 10**6) -> list[int]:
    """Return a list of at least two dimensions in ascending order, each from ``least`` to ``most``.

    Raises:
        BadParameter: for anything else.

    Chapter: information_exponent.

    >>> ascending_dims("dims", [10, 100])
    [10, 100]
    """
    found = list_of(name, value, lambda item, d: whole_number(item, d, least, most), 2)
    if sorted(set(found)) != found:
        raise BadParameter(f"{name} = {found} is not accepted: it must ascend, no value twice.")
    return found


def refuse_stalling(search: Search, dims: Sequence[int], steps: Sequence[float]) -> None:
    """Check that the predicted steps are finite.

    Args:
        search: what was planned.
        dims: the dimensions.
        steps: what ``search.steps`` predicts at each of them.

    Raises:
        BadParameter: if the differential equation stalls below the level at a dimension.

    Chapter: information_exponent.
    """
    stalled = [d for d, count in zip(dims, steps, strict=True) if math.isinf(count)]
    if stalled:
        raise BadParameter(
            f"pace = {search.pace:g} is too large for link {search.link.link.name} at d = {stalled[0]}: the noise of a "
            f"step holds the overlap back before one half; a smaller pace takes more steps and gets there."
        )


def seconds_per_step(search: Search, d: int, replicas: int, generator: torch.Generator) -> float:
    """Return the time of one step of the chain for so many replicas on this machine, measured over 2,048 steps.

    Args:
        search: what is run.
        d: dimension, at least 3; the time hardly depends on it.
        replicas: how many run side by side, at least 1.
        generator: source of the samples, on the processor.

    Raises:
        BadParameter: if d or the number of replicas is out of range.

    Chapter: information_exponent.
    """
    dims = torch.full((whole_number("replicas", replicas),), whole_number("d", d, least=3), device="cpu")
    rule, starts = correlation_rule(search.link, search.rates(dims)), start_overlaps(dims, generator)
    begun = time.perf_counter()
    overlap_paths(search.link, rule, starts, dims, [_TIMED], generator, noise=search.noise)
    return (time.perf_counter() - begun) / _TIMED
