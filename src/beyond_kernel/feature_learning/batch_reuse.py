"""Online SGD that uses each sample twice: an inner step moves the weight, and the gradient is taken where it arrived.

With the label y, the sample x and the loss -y g(<w, x>), the inner step w' = w + r y g'(<w, x>) x changes the neuron's
input by r |x|^2 y g'(z1), and the outer step is the spherical one of ``overlap_chain`` with

    c = rate * y * g'(z1 + r (Q + z1^2) g'(z1) y).

So c is no longer proportional to y: expanded in r it holds r |x|^2 y^2 g' g'', a term in y^3, and so on. Such powers of
the label may have a smaller information exponent than the label itself. The inner step is not projected.
"""

from typing import Any

import numpy as np
import torch

from beyond_kernel.checks import BadParameter, real_number, vector
from beyond_kernel.feature_learning.overlap_chain import Block, Coefficients, Rule
from beyond_kernel.feature_learning.overlap_equation import half_stalling, overlap_equation
from beyond_kernel.feature_learning.scaled_link import ScaledLink, learning_link
from beyond_kernel.foundations.exponents.links import AnyLink

REACH = 3.0
"""Up to this |z| the activation is the link itself; beyond it goes on as a straight line, so that no label explodes."""
_LARGE = 10**6  # where the equation of order 1 / d no longer depends on d
_START = 1e-3  # 1 / sqrt(_LARGE)


def reuse_rule(
    activation: AnyLink | ScaledLink, rates: torch.Tensor, inner_rates: torch.Tensor, reach: float = REACH
) -> Rule:
    """Return the step with the gradient taken after an inner step on the same sample.

    Args:
        activation: g, scaled to mean zero and variance one, and continued as a straight line beyond ``reach``.
        rates: outer step size of each replica, shape (R,), above 0.
        inner_rates: inner step size r of each replica, shape (R,), at least 0; with 0 the plain step.
        reach: above 0.

    Raises:
        BadParameter: if an argument is out of range, or the activation has no derivative.
        TypeError: if rates or inner_rates is no floating-point tensor.

    Source: Dandi et al. (2024) and Arnaboldi et al. (2024) for the reuse of a batch; this form for single samples and
    the chain are derived here. Chapter: information_exponent.
    """
    g, outer = learning_link(activation), _sizes("rates", rates)
    inner = _sizes("inner_rates", inner_rates, len(outer), least=0.0)
    real_number("reach", reach, above=0)

    def slope(z: np.ndarray) -> np.ndarray:
        return g.slopes(np.minimum(np.maximum(z, -reach), reach))

    def rule(block: Block) -> Coefficients:
        moves = inner[block.alive] * (block.Q + block.z1**2) * slope(block.z1)
        rate = outer[block.alive]
        return lambda row, y: rate * y * slope(block.z1[row] + moves[row] * y)

    return rule


def outer_factor(
    link: AnyLink | ScaledLink, activation: AnyLink | ScaledLink, inner: float, level: float = 0.5, reach: float = REACH
) -> float:
    """Return half the factor of 1 / d at which the outer step stalls, with an inner step of inner / d, for large d.

    The differential equation balances drift and noise at some overlap below the level if the outer step is twice as
    large. The number does not depend on d: it is what the equation has for d to infinity.

    Args:
        link: f of the labels.
        activation: g, as in ``reuse_rule``.
        inner: inner step size in units of 1 / d, above 0.
        level: overlap to be reached, above 0.001 and below 1.
        reach: as in ``reuse_rule``.

    Raises:
        BadParameter: if an argument is out of range, or the drift points away from the direction at some overlap.

    Source: derived here. Chapter: information_exponent.
    """
    unit = torch.tensor([1.0 / _LARGE], dtype=torch.float64, device="cpu")
    rule = reuse_rule(activation, unit, unit * real_number("inner", inner, above=0), reach)
    return half_stalling(overlap_equation(link, rule, _LARGE), _START, level)


def _sizes(name: str, values: Any, length: int | None = None, least: float | None = None) -> np.ndarray:
    smallest = float(vector(name, values, length).min())
    if smallest < 0 or (least is None and smallest == 0):
        raise BadParameter(f"{name} holds {smallest:g}: a step size must be {'at least' if least == 0 else 'above'} 0.")
    return values.detach().cpu().double().numpy()
