"""A network with quadratic neurons that learns many tasks at once by online SGD, none of its neurons told which.

The target is f*(x) = sum_p a_p h_2(<u_p, x>) = (x^T A x - tr A) / sqrt(2) with A = sum_p a_p u_p u_p^T, the network
f(x) = sum_j (<w_j, x>^2 - |w_j|^2) / sqrt(2) = (x^T B x - tr B) / sqrt(2) with B = W^T W. The size of a neuron is its
output weight. Its risk is |A - B|_F^2 / |A|_F^2, so no test points are needed.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from beyond_kernel.checks import BadParameter, list_of, matrix, real_number, vector, whole_number
from beyond_kernel.foundations.learning.held_out import split_fifth
from beyond_kernel.foundations.learning.samples import Problem, Sample

_BLOCK = 2**16  # most entries of the inputs that are drawn at once
_ROOT = 2**0.5
_PRECISION = torch.float32  # of many passes, whatever that of the sample: half of the time


class Progress(NamedTuple):
    """What a network had learnt after given numbers of steps.

    Attributes:
        losses: E (f - f*)^2 / E f*^2, shape (T,).
        shares: <u_p, B u_p> / a_p of each task, shape (T, P).
    """

    losses: torch.Tensor
    shares: torch.Tensor


def small_start(
    width: int, d: int, size: float, generator: torch.Generator, device: torch.device | str = "cpu"
) -> torch.Tensor:
    """Draw neurons w_j ~ N(0, size^2 I_d / d), one a row.

    Args:
        width: m, at least 1.
        d: dimension.
        size: root mean square length of a neuron, above 0.
        generator: source of the draws, on the processor.
        device: where they are to lie.

    Returns:
        float64 tensor of shape (m, d).

    Raises:
        BadParameter: if an argument is out of range.

    Chapter: scaling_laws.
    """
    shape = (whole_number("width", width), whole_number("d", d))
    drawn = torch.randn(shape, generator=generator, dtype=torch.float64, device="cpu")
    return (drawn * (real_number("size", size, above=0) / d**0.5)).to(device)


def sampled_push(W: torch.Tensor, X: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the mean of (y - f(x)) grad_W f(x) over a batch: minus the gradient of half the mean squared error.

    Args:
        W: neurons, one a row, shape (m, d).
        X: inputs, shape (n, d).
        y: labels, shape (n,).

    Returns:
        Tensor of shape (m, d).

    Raises:
        BadParameter: if a shape is wrong or an entry is not finite.
        TypeError: if an argument is no floating-point tensor.

    Source: derived here. Chapter: scaling_laws.
    """
    matrix("X", X, matrix("W", W).shape[1])
    vector("y", y, len(X))
    return _push(W, X, y)


def expected_push(W: torch.Tensor, directions: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the mean of ``sampled_push`` over standard Gaussian inputs, 2 W (A - W^T W).

    Args:
        W: neurons, one a row, shape (m, d).
        directions: u_p as orthonormal columns, shape (d, P).
        weights: the strengths a_p, shape (P,).

    Returns:
        Tensor of shape (m, d).

    Raises:
        BadParameter: if a shape is wrong or an entry is not finite.
        TypeError: if an argument is no floating-point tensor.

    Source: derived here; a matrix Riccati equation in the limit of small steps. Chapter: scaling_laws.
    """
    _checked(W, directions, weights)
    return 2 * W @ (_of_tasks(directions, weights) - W.T @ W)


def train_sampled(
    W: torch.Tensor,
    directions: torch.Tensor,
    weights: torch.Tensor,
    rate: float,
    batch: int,
    at: Sequence[int],
    generator: torch.Generator,
) -> Progress:
    """Train on fresh samples, a batch a step, and return what is learnt after given numbers of steps.

    Args:
        W: neurons at the start, shape (m, d); it is left as it is.
        directions: u_p as orthonormal columns, shape (d, P).
        weights: the strengths a_p, shape (P,).
        rate: step size, above 0.
        batch: samples a step, at least 1.
        at: numbers of steps, ascending, at least 1.
        generator: source of the inputs, on the processor.

    Returns:
        The progress, dtype and device of W.

    Raises:
        BadParameter: if an argument is out of range, or training diverges.
        TypeError: if an argument is no floating-point tensor.

    Source: online SGD. Chapter: scaling_laws.
    """
    _checked(W, directions, weights)
    size, d = whole_number("batch", batch), W.shape[1]
    many = max(1, _BLOCK // (size * d))
    block: list[torch.Tensor] = []
    A = _of_tasks(directions, weights)

    def push(now: torch.Tensor) -> torch.Tensor:
        """Return ``sampled_push`` in half of its operations: the errors of a network are those of a quadratic form."""
        if not block:
            drawn = torch.randn((many, size, d), generator=generator, dtype=torch.float64, device="cpu")
            block.extend(drawn.to(W).unbind())
        X = block.pop()
        missing = torch.addmm(A, now.T, now, alpha=-1)
        errors = (X @ missing).mul_(X).sum(1).sub_(missing.trace())  # sqrt(2) (y - f(x))
        return (now @ ((errors[:, None] * X).T @ X) - errors.sum() * now).div_(size)

    return _train(push, W, directions, weights, rate, at)


def train_expected(
    W: torch.Tensor, directions: torch.Tensor, weights: torch.Tensor, rate: float, at: Sequence[int]
) -> Progress:
    """Train on the mean gradient, without the noise of samples; otherwise as ``train_sampled``.

    Args:
        W, directions, weights, rate, at: as in ``train_sampled``.

    Raises:
        BadParameter: if an argument is out of range, or training diverges.
        TypeError: if an argument is no floating-point tensor.

    Source: gradient descent on the population loss. Chapter: scaling_laws.
    """
    _checked(W, directions, weights)
    A = _of_tasks(directions, weights)
    return _train(lambda now: 2 * now @ torch.addmm(A, now.T, now, alpha=-1), W, directions, weights, rate, at)


def fit_many_passes(
    problem: Problem, generator: torch.Generator, *, rate: float = 0.03, steps: int = 2000, size: float = 0.01
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Train a quadratic network with d neurons on the same samples over and over, and stop by a held-out fifth.

    Args:
        problem: its training sample; a fifth of it says when to stop, and counts as seen.
        generator: source of the start and of the split, on the processor.
        rate: step size of full-batch gradient descent, above 0.
        steps: the most steps, at least 1.
        size: root mean square length of a neuron at the start.

    Returns:
        The network of the least held-out error among those after 0, 20, 40, ... steps.

    Raises:
        BadParameter: if an argument is out of range.

    Source: early stopping. Chapter: scaling_laws.
    """
    kind = problem.train.X.dtype
    kept, held = (
        Sample(part.X.to(_PRECISION), part.y.to(_PRECISION)) for part in split_fifth(problem.train, generator)
    )
    d = kept.X.shape[1]
    now = small_start(d, d, real_number("size", size, above=0), generator).to(kept.X)
    best, least = now, float("inf")
    for taken in range(whole_number("steps", steps)):
        if taken % 20 == 0:
            error = float((_form(now, held.X) - held.y).square().mean())
            best, least = (now, error) if error < least else (best, least)
        now = now + real_number("rate", rate, above=0) * _push(now, kept.X, kept.y)
    chosen = best.to(kind)
    return lambda X: _form(chosen, X)


def _form(W: torch.Tensor, X: torch.Tensor) -> torch.Tensor:
    """Return the output of the network."""
    return ((X @ W.T).square().sum(1) - W.square().sum()) / _ROOT


def _train(
    push: Callable[[torch.Tensor], torch.Tensor],
    W: torch.Tensor,
    directions: torch.Tensor,
    weights: torch.Tensor,
    rate: float,
    at: Sequence[int],
) -> Progress:
    real_number("rate", rate, above=0)
    wanted = list_of("at", list(at), whole_number)
    if sorted(set(wanted)) != wanted:
        raise BadParameter(f"at = {wanted[:5]}... is not accepted: it must be ascending.")
    now, taken, losses, shares = W.clone(), 0, [], []
    for steps in wanted:
        for _ in range(steps - taken):
            now = now + rate * push(now)
        taken = steps
        if not torch.isfinite(now).all():
            raise BadParameter(f"rate = {rate:g} makes training diverge within {steps} steps: it must be smaller.")
        found = (now @ directions).square().sum(0)
        energy = weights.square().sum()
        losses.append((energy - 2 * found @ weights + (now @ now.T).square().sum()) / energy)
        shares.append(found / weights)
    return Progress(torch.stack(losses), torch.stack(shares))


def _of_tasks(directions: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return A = sum_p a_p u_p u_p^T."""
    return (directions * weights) @ directions.T


def _push(W: torch.Tensor, X: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    Z = X @ W.T
    errors = y - (Z.square().sum(1) - W.square().sum()) / _ROOT
    return _ROOT / len(X) * ((errors[:, None] * Z).T @ X - errors.sum() * W)


def _checked(W: torch.Tensor, directions: torch.Tensor, weights: torch.Tensor) -> None:
    P = matrix("directions", directions).shape[1]
    if matrix("W", W).shape[1] != len(directions):
        raise BadParameter(f"W has shape {tuple(W.shape)}: it must have shape (m, {len(directions)}).")
    if float(vector("weights", weights, P).min()) <= 0:
        raise BadParameter(f"weights holds {float(weights.min()):g}: a strength must be above 0.")
