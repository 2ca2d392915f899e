"""The overlap of one neuron with the hidden direction under spherical online SGD, as a Markov chain of one number.

A neuron with weight w, |w| = 1, sees x ~ N(0, I_d) and the label y = f(<u, x>) + noise. Write m = <u, w>,
s = sqrt(1 - m^2) and u = m w + s e with e orthogonal to w. With z1 = <w, x>, z2 = <e, x> and
Q = |x|^2 - z1^2 = z2^2 + chi^2_{d-2}, the label is f(m z1 + s z2), the spherical step
w <- (w + c (x - z1 w)) / |w + c (x - z1 w)| gives

    m <- (m + c s z2) / sqrt(1 + c^2 Q),

and c depends on z1, Q and y alone. The three numbers z1, z2, Q do not depend on the past: the overlap is a Markov
chain, equal in law to that of the simulation in d dimensions, and a step costs the same whatever d is.

The inner loop runs on arrays of one entry a replica, where numpy is faster than torch: chance is drawn by the generator
in blocks, the loop runs on the processor, and results are tensors on the device of the starts. Normal variables are
drawn in single precision, five times faster than in double, and stop at |z| = 5.8; all that follows is in double.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch

from beyond_kernel.checks import BadParameter, list_of, real_number, vector, whole_number
from beyond_kernel.feature_learning.scaled_link import ScaledLink, learning_link, scaled_link
from beyond_kernel.foundations.exponents.links import AnyLink

_BLOCK = 1024  # steps whose random numbers are drawn at once
_MOST_DRAWS = 2**20  # and at most this many of each kind: what stays in cache and in memory


class Block(NamedTuple):
    """The random numbers of some steps, and whose they are.

    Attributes:
        first: number of the first of these steps, from 0.
        z1: <w, x>, one step a row, one replica a column.
        Q: |x|^2 - z1^2, of the same shape.
        alive: number of the replica that each column belongs to.
    """

    first: int
    z1: np.ndarray
    Q: np.ndarray
    alive: np.ndarray


Coefficients = Callable[[int, np.ndarray], np.ndarray]
"""From the row of a block and the labels y of that step, one a replica, to the c of the step."""

Rule = Callable[[Block], Coefficients]
"""What a step does with a sample, any function of z1, Q and y. Work that needs no y is done once a block."""


def square_rule(activation: AnyLink | ScaledLink, rates: torch.Tensor) -> Rule:
    """Return the step on the loss (g(z1) - y)^2 / 2 of a neuron g: c = rate (y - g(z1)) g'(z1).

    Args:
        activation: g, scaled to mean zero and variance one.
        rates: step size of each replica, shape (R,), above 0.

    Raises:
        BadParameter: if the activation has no derivative to learn by, or a rate is not above 0.
        TypeError: if rates is no floating-point tensor.

    Source: Ben Arous, Gheissari and Jagannath (2021). Chapter: information_exponent.
    """
    g, eta = learning_link(activation), _rates(rates)

    def rule(block: Block) -> Coefficients:
        offsets, factors = g.values(block.z1), eta[block.alive] * g.slopes(block.z1)
        return lambda row, y: (y - offsets[row]) * factors[row]

    return rule


def correlation_rule(activation: AnyLink | ScaledLink, rates: torch.Tensor) -> Rule:
    """Return the step on the loss -y g(z1) of a neuron g: c = rate y g'(z1).

    Args:
        activation: g, scaled to mean zero and variance one.
        rates: step size of each replica, shape (R,), above 0.

    Raises:
        BadParameter: if the activation has no derivative to learn by, or a rate is not above 0.
        TypeError: if rates is no floating-point tensor.

    Source: Damian, Nichani, Ge and Lee (2023) for this loss. Chapter: information_exponent.
    """
    g, eta = learning_link(activation), _rates(rates)

    def rule(block: Block) -> Coefficients:
        factors = eta[block.alive] * g.slopes(block.z1)
        return lambda row, y: y * factors[row]

    return rule


def chain_steps(
    f: ScaledLink,
    coefficients: Coefficients,
    m: np.ndarray,
    z1: np.ndarray,
    z2: np.ndarray,
    Q: np.ndarray,
    errors: np.ndarray | None = None,
) -> np.ndarray:
    """Return the overlaps after each step, from those before the first, m, of shape (R,), and its random numbers.

    Source: derived here. Chapter: information_exponent.
    """
    path = np.empty_like(z1)
    for row in range(len(path)):
        across = np.sqrt(np.maximum(1 - m * m, 0.0)) * z2[row]  # rounding may leave |m| above 1
        y = f.values(m * z1[row] + across)
        c = coefficients(row, y if errors is None else y + errors[row])
        m = np.divide(m + c * across, np.sqrt(1 + c * c * Q[row]), out=path[row])
    return path


def start_overlaps(dims: Sequence[int] | torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return the overlap of a uniform unit vector with a fixed one, z / sqrt(z^2 + chi^2_{d-1}), for each dimension.

    Args:
        dims: dimension d of each replica, whole numbers of at least 3, shape (R,).
        generator: source of the starts, on the processor.

    Returns:
        float64 tensor of shape (R,) on the device of ``dims``, of either sign; for an odd link take their ``abs``.

    Raises:
        BadParameter: if a dimension is not accepted.
        TypeError: if dims is no tensor of whole numbers.

    Chapter: information_exponent.
    """
    d = _dimensions(dims)
    z = torch.randn(len(d), generator=generator, dtype=torch.float64, device="cpu")
    rest = 2 * torch._standard_gamma(torch.as_tensor((d - 1) / 2, device="cpu"), generator=generator)
    return (z / (z**2 + rest).sqrt()).to(dims.device if isinstance(dims, torch.Tensor) else "cpu")


def hitting_steps(
    link: AnyLink | ScaledLink,
    rule: Rule,
    starts: torch.Tensor,
    dims: Sequence[int] | torch.Tensor,
    budget: int | torch.Tensor,
    generator: torch.Generator,
    *,
    level: float = 0.5,
    noise: float = 0.0,
) -> torch.Tensor:
    """Return the number of steps after which |m| reaches a level for the first time; inf where the budget ends before.

    Replicas of all dimensions run side by side, and leave once a block when they are done.

    Args:
        link: f, scaled to mean zero and variance one.
        rule: what a step does, such as ``square_rule``.
        starts: overlap m of each replica at the start, shape (R,), from -1 to 1.
        dims: dimension of each replica, shape (R,), whole numbers of at least 3.
        budget: the most steps, one number for all or one for each replica.
        generator: source of the samples, on the processor.
        level: above 0 and below 1.
        noise: standard deviation of Gaussian noise on the label, in units of that of the label.

    Returns:
        float64 tensor of shape (R,) on the device of ``starts``; 0 where the start has reached the level.

    Raises:
        BadParameter: if an argument is out of range, or the overlap becomes NaN.
        TypeError: if starts or dims are tensors of another kind.

    Source: derived here. Chapter: information_exponent.
    """
    f, m, d = _checked(link, starts, dims)
    steps = _budget(budget, len(d))
    real_number("level", level, above=0, most=0.999999)
    times = np.where(np.abs(m) >= level, 0.0, np.inf)
    alive = np.flatnonzero((times > 0) & (steps > 0))
    first = 0
    while len(alive):
        rows = min(_rows(len(alive)), int(steps[alive].max()) - first)
        path = _run_block(f, rule, m, d, first, rows, alive, noise, generator)
        hit = np.abs(path) >= level
        times[alive] = np.where(hit.any(0), first + hit.argmax(0) + 1.0, np.inf)
        times[times > steps] = np.inf
        first += rows
        alive = alive[~hit.any(0) & (steps[alive] > first)]
    return torch.as_tensor(times, device="cpu").to(starts.device)


def overlap_paths(
    link: AnyLink | ScaledLink,
    rule: Rule,
    starts: torch.Tensor,
    dims: Sequence[int] | torch.Tensor,
    at: Sequence[int],
    generator: torch.Generator,
    *,
    noise: float = 0.0,
) -> torch.Tensor:
    """Return the overlaps of all replicas after given numbers of steps.

    Args:
        link: f, scaled to mean zero and variance one.
        rule: what a step does, such as ``square_rule``.
        starts: overlap m of each replica at the start, shape (R,), from -1 to 1.
        dims: dimension of each replica, shape (R,), whole numbers of at least 3.
        at: numbers of steps, ascending; 0 is the start.
        generator: source of the samples, on the processor.
        noise: standard deviation of Gaussian noise on the label, in units of that of the label.

    Returns:
        float64 tensor of shape (len(at), R) on the device of ``starts``.

    Raises:
        BadParameter: if an argument is out of range, or the overlap becomes NaN.
        TypeError: if starts or dims are tensors of another kind.

    Source: derived here. Chapter: information_exponent.
    """
    f, m, d = _checked(link, starts, dims)
    wanted = np.asarray(list_of("at", list(at), lambda name, value: whole_number(name, value, least=0)))
    if (np.diff(wanted) <= 0).any():
        raise BadParameter(f"at = {wanted[:5].tolist()}... is not accepted: it must be ascending.")
    kept, alive = np.empty((len(wanted), len(d))), np.arange(len(d))
    kept[wanted == 0] = m
    for first in range(0, int(wanted[-1]), _rows(len(d))):
        rows = min(_rows(len(d)), int(wanted[-1]) - first)
        path = _run_block(f, rule, m, d, first, rows, alive, noise, generator)
        inside = (wanted > first) & (wanted <= first + rows)
        kept[inside] = path[wanted[inside] - first - 1]
    return torch.as_tensor(kept, device="cpu").to(starts.device)


def _run_block(
    f: ScaledLink,
    rule: Rule,
    m: np.ndarray,
    d: np.ndarray,
    first: int,
    rows: int,
    alive: np.ndarray,
    noise: float,
    generator: torch.Generator,
) -> np.ndarray:
    """Run some steps of the replicas that are alive; write their overlaps into m and return all, a step a row."""
    shape = (rows, len(alive))
    z1, z2 = (_normal(shape, generator) for _ in range(2))
    rest = torch.as_tensor((d[alive] - 2) / 2, device="cpu").expand(shape)
    Q = z2**2 + 2 * torch._standard_gamma(rest, generator=generator).numpy()
    errors = noise * _normal(shape, generator) if noise else None
    path = chain_steps(f, rule(Block(first, z1, Q, alive)), m[alive], z1, z2, Q, errors)
    if not np.isfinite(path[-1]).all():
        raise BadParameter("the overlap is not finite any more: the steps or the values of the link are too large.")
    m[alive] = path[-1]
    return path


def _normal(shape: tuple[int, int], generator: torch.Generator) -> np.ndarray:
    return torch.randn(shape, generator=generator, dtype=torch.float32, device="cpu").double().numpy()


def _rows(replicas: int) -> int:
    return max(1, min(_BLOCK, _MOST_DRAWS // replicas))


def _checked(
    link: AnyLink | ScaledLink, starts: torch.Tensor, dims: Sequence[int] | torch.Tensor
) -> tuple[ScaledLink, np.ndarray, np.ndarray]:
    d = _dimensions(dims)
    m = vector("starts", starts, len(d)).detach().cpu().double().numpy().copy()
    if (np.abs(m) > 1).any():
        raise BadParameter(f"starts holds {np.abs(m).max():g}: an overlap must be from -1 to 1.")
    return scaled_link(link), m, d


def _dimensions(dims: Sequence[int] | torch.Tensor) -> np.ndarray:
    if isinstance(dims, torch.Tensor):
        if dims.ndim != 1 or dims.dtype not in (torch.int32, torch.int64):
            kind = f"of type {dims.dtype} and shape {tuple(dims.shape)}"
            raise TypeError(f"dims is {kind}: it must hold whole numbers, (R,).")
        dims = dims.tolist()
    return np.array(list_of("dims", dims, lambda name, value: whole_number(name, value, least=3)), dtype=float)


def _rates(rates: torch.Tensor) -> np.ndarray:
    if float(vector("rates", rates).min()) <= 0:
        raise BadParameter(f"rates holds {float(rates.min()):g}: a step size must be above 0.")
    return rates.detach().cpu().double().numpy()


def _budget(budget: int | torch.Tensor, replicas: int) -> np.ndarray:
    if isinstance(budget, torch.Tensor):
        if budget.shape != (replicas,) or int(budget.min()) < 1:
            raise BadParameter(f"budget must be a whole number, or a vector of {replicas} numbers of at least 1.")
        return budget.cpu().numpy().astype(float)
    return np.full(replicas, float(whole_number("budget", budget)))
