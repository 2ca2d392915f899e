"""The differential equation that the overlap of online SGD follows when the dimension is large.

One step of the chain m <- (m + c s z2) / sqrt(1 + c^2 Q) with small c and Q near d changes the mean overlap by

    D(m) - (d / 2) m N(m),    D = E[c s z2],    N = E[c^2],

where D is the pull towards the direction and the second term is what the noise of a step costs on the sphere. With step
sizes of order 1 / d both are of order 1 / d, and in time t = steps / d the overlap runs along

    dm/dt = d D - (d^2 / 2) m N,

with fluctuations of order 1 / sqrt(d). D and N are integrals over z1, z2 and Q, by quadrature. Where c depends on Q, as
for a smoothed loss and a reused sample, d N stands for E[c^2 Q]: a relative error of order 1 / d.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from scipy.integrate import solve_ivp
from scipy.special import roots_hermitenorm

from beyond_kernel.checks import BadParameter, list_of, real_number, whole_number
from beyond_kernel.feature_learning.overlap_chain import Block, Coefficients, Rule
from beyond_kernel.feature_learning.scaled_link import ScaledLink, scaled_link
from beyond_kernel.foundations.exponents.links import AnyLink

_ERRORS = [(-(3**0.5), 1 / 6), (0.0, 2 / 3), (3**0.5, 1 / 6)]  # a rule for a normal variable, exact up to degree 5
_NODES = 80  # exact for polynomials up to degree 159 in each variable
_ONE = np.zeros(_NODES, dtype=int)  # all columns belong to the first replica
_POINTS = 48  # of the overlap between start and level, evenly spaced in its logarithm


@dataclass(frozen=True, eq=False)
class OverlapEquation:
    """Drift and noise of one step of a rule as functions of the overlap.

    Attributes:
        link: f of the labels.
        d: the dimension, which stands in the step sizes and in the length of x.
        noise: standard deviation of Gaussian noise on the label.
        coefficients: for some lengths of x, the c of the step on the grid of z1 by z2, and the weight of the length.

    Chapter: information_exponent.
    """

    link: ScaledLink
    d: int
    noise: float
    coefficients: list[tuple[Coefficients, float]]

    def drift_and_noise(self, overlap: float) -> tuple[float, float]:
        """Return D = E[c s z2] and N = E[c^2] at an overlap m.

        Raises:
            BadParameter: if the overlap is not from -1 to 1.

        Source: derived here. Chapter: information_exponent.
        """
        m = real_number("overlap", overlap, least=-1, most=1)
        z, weights = _gauss_hermite(_NODES)
        across = (1 - m * m) ** 0.5 * z
        y = self.link.values(m * z[:, None] + across)
        drift = noise = 0.0
        for error, chance in _ERRORS if self.noise else [(0.0, 1.0)]:
            for coefficients, share in self.coefficients:
                c = coefficients(slice(None), y + error * self.noise)
                drift += chance * share * float(weights @ c @ (weights * across))
                noise += chance * share * float(weights @ (c * c) @ weights)
        return drift, noise

    def change(self, overlap: float) -> float:
        """Return the mean change of the overlap in one step, D - (d / 2) m N.

        Raises:
            BadParameter: if the overlap is not from -1 to 1.

        Source: Saad and Solla (1995) for such equations. Chapter: information_exponent.
        """
        drift, noise = self.drift_and_noise(overlap)
        return drift - self.d / 2 * overlap * noise

    def path(self, start: float, times: Sequence[float]) -> torch.Tensor:
        """Return the overlap at times t = steps / d along the differential equation.

        Args:
            start: the overlap at time 0, from -1 to 1.
            times: ascending, at least 0.

        Returns:
            float64 tensor of the length of ``times``.

        Raises:
            BadParameter: if an argument is out of range, or the solver fails.

        Source: Arnaboldi, Stephan, Krzakala and Loureiro (2023) for the limit. Chapter: information_exponent.
        """
        m = real_number("start", start, least=-1, most=1)
        wanted = list_of("times", list(times), lambda name, value: real_number(name, value, least=0))
        if (np.diff(wanted) <= 0).any():
            raise BadParameter(f"times = {wanted[:5]}... is not accepted: the times must be ascending.")
        solved = solve_ivp(self._slope, (0.0, wanted[-1]), [m], t_eval=wanted, rtol=1e-8, atol=1e-10)
        if not solved.success:
            raise BadParameter(f"the differential equation could not be solved: {solved.message}")
        return torch.as_tensor(solved.y[0], device="cpu")

    def steps_to(self, level: float, start: float) -> float:
        """Return how many steps the equation takes from one overlap to a higher one; infinite where it stalls before.

        Raises:
            BadParameter: unless 0 < start < level < 1.

        Source: derived here. Chapter: information_exponent.
        """
        middles, widths = _between(start, level)
        changes = np.array([self.change(m) for m in middles])
        return float((widths / changes).sum()) if (changes > 0).all() else float("inf")

    def stalling_factor(self, level: float, start: float) -> float:
        """Return by which factor a rule that is linear in its step size must be multiplied to stall before a level.

        Drift grows like the factor and noise like its square: at the factor 2 D / (d m N) they balance at m, and the
        least over m is returned; zero or less where the drift itself points the wrong way.

        Raises:
            BadParameter: unless 0 < start < level < 1.

        Source: derived here. Chapter: information_exponent.
        """
        middles, _ = _between(start, level)
        pairs = [(m, *self.drift_and_noise(m)) for m in middles]
        return min(2 * drift / (self.d * m * noise) for m, drift, noise in pairs)

    def _slope(self, _time: float, state: np.ndarray) -> list[float]:
        return [self.d * self.change(float(np.clip(state[0], -1, 1)))]


def overlap_equation(link: AnyLink | ScaledLink, rule: Rule, d: int, noise: float = 0.0) -> OverlapEquation:
    """Return the differential equation of a rule on the labels of a link.

    Args:
        link: f of the labels, scaled to mean zero and variance one.
        rule: what a step does with a sample, such as ``square_rule``; its first replica is meant.
        d: dimension, at least 3.
        noise: standard deviation of Gaussian noise on the label, in units of that of the label.

    Raises:
        BadParameter: if an argument is out of range or the link is not accepted.

    Source: Saad and Solla (1995); Arnaboldi, Stephan, Krzakala and Loureiro (2023). Chapter: information_exponent.
    """
    whole_number("d", d, least=3)
    real_number("noise", noise, least=0)
    z, _ = _gauss_hermite(_NODES)
    shape = (_NODES, _NODES)  # z1 changes by row, z2 by column
    z1 = np.broadcast_to(z[:, None], shape).copy()
    blocks = [(Block(0, z1, np.broadcast_to(z**2 + rest, shape).copy(), _ONE), share) for rest, share in _lengths(d)]
    return OverlapEquation(scaled_link(link), d, noise, [(rule(block), share) for block, share in blocks])


def half_stalling(equation: OverlapEquation, start: float, level: float) -> float:
    """Return half the factor at which a rule with steps of size one stalls between two overlaps: a safe step size.

    Args:
        equation: of a rule whose c is proportional to its step size, with step size 1.
        start: the lower overlap, above 0.
        level: the upper overlap, below 1.

    Raises:
        BadParameter: if an overlap is out of range, or the drift points away from the direction somewhere between.

    Source: derived here. Chapter: information_exponent.
    """
    factor = equation.stalling_factor(level, start) / 2
    if factor <= 1e-9:
        raise BadParameter(
            f"link {equation.link.link.name} is not learnt by this step: somewhere between overlap {start:.3g} and "
            f"overlap {level:g} its drift is zero or points away from the direction."
        )
    return factor


def _between(start: float, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Return midpoints and widths of intervals between two overlaps."""
    real_number("start", start, above=0)
    if not start < real_number("level", level, above=0, most=0.999999):
        raise BadParameter(f"start = {start:g} is out of range: it must be below level = {level:g}.")
    edges = np.geomspace(start, level, _POINTS + 1)
    return np.sqrt(edges[1:] * edges[:-1]), np.diff(edges)


def _lengths(d: int) -> list[tuple[float, float]]:
    """Return three nodes and weights for chi^2_{d-2}, exact up to degree 5, from the Laguerre recurrence."""
    k, shape = np.arange(3), (d - 2) / 2
    beside = np.sqrt(k[1:] * (k[1:] + shape - 1))
    nodes, vectors = np.linalg.eigh(np.diag(2 * k + shape) + np.diag(beside, 1) + np.diag(beside, -1))
    return list(zip((2 * nodes).tolist(), (vectors[0] ** 2).tolist(), strict=True))


@lru_cache(maxsize=2)
def _gauss_hermite(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    z, weights = roots_hermitenorm(nodes)
    return z, weights / weights.sum()
