"""The three stages of ``local_recovery`` on n labelled samples: one step, a head, and decreasing weight decay.

The affine part of labels and neurons is taken out by least squares on the same samples, so that a ReLU counts as half
an absolute value: a teacher sum_j 2 b_j relu(<v_j, x>) gives exactly the fits of sum_j b_j |<v_j, x>|.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from beyond_kernel.checks import BadParameter, list_of, matrix, one_of, real_number, vector, whole_number
from beyond_kernel.feature_learning.absolute_teacher import AbsoluteTeacher
from beyond_kernel.feature_learning.local_recovery import balanced
from beyond_kernel.feature_learning.population_kernel import check_neurons, masses, population_loss

SAMPLED_DECAYS = (3e-2, 1e-2, 3e-3)
"""Weight decay of one level after another on samples; at the last the population's bias in angle is below a degree."""
LEVEL_STEPS = 200
"""Steps of a level. In trials (d = 8 to 64, n = 16 to 40 d) 800 changed the share recovered by 0.07 at most, 0.008
in the median."""
SAMPLED_RATE = 0.5
"""Step size times the total mass of the head after the second stage."""
HALVINGS = 6
"""Step sizes that are tried, each half of the one before, until the descent does not diverge."""
MOMENTUM = 0.9
"""Of the descent, which is then ten times as long in effect."""
STARTS = ("stages", "random directions", "small")
"""Where stage 3 may start from."""
SMALL = 0.02
"""Total mass of the small start over that of the head."""
HEAD_PENALTY = 1e-2
"""Penalty of the ridge regression of the second stage."""


@dataclass(frozen=True)
class AffineFit:
    """Samples whose labels have lost what is affine in x, and what takes it out of anything else.

    Attributes:
        X: inputs, of shape (n, d).
        y: labels less their least-squares affine function, of shape (n,).
        basis: orthonormal columns that span 1 and the coordinates of x, of shape (n, d + 1).
    """

    X: torch.Tensor
    y: torch.Tensor
    basis: torch.Tensor

    def rest(self, values: torch.Tensor) -> torch.Tensor:
        """Return values at the inputs, of shape (n,) or (n, k), less their least-squares affine function."""
        return values - self.basis @ (self.basis.T @ values)


def without_affine_part(X: torch.Tensor, y: torch.Tensor) -> AffineFit:
    """Return the samples with the least-squares affine function of x taken out of the labels.

    Args:
        X: inputs, shape (n, d) with n > d + 1.
        y: labels, shape (n,).

    Raises:
        BadParameter: if shapes do not fit or there are too few samples.
        TypeError: if an argument is no floating-point tensor.

    Source: after Damian, Lee and Soltanolkotabi 2022, Algorithm 1, who take out the same part. Chapter: local_recovery.
    """
    n, d = matrix("X", X).shape
    vector("y", y, n)
    if n < d + 2:
        raise BadParameter(f"X holds {n} samples of dimension {d}: there must be at least {d + 2}.")
    basis = torch.linalg.qr(torch.cat((torch.ones_like(X[:, :1]), X), 1))[0]
    bare = AffineFit(X, y, basis)
    return AffineFit(X, bare.rest(y), basis)


def sampled_pull(W: torch.Tensor, a: torch.Tensor, sample: AffineFit) -> tuple[torch.Tensor, torch.Tensor]:
    """Return e_j = (1/n) sum_i r_i sign(<w_j, x_i>) x_i, from which both gradients follow, and the residuals r.

    The loss is |r|^2 / (2 n), r the student less the labels with the affine part taken out; its gradient in w_j is
    a_j e_j, and that in a_j is <w_j, e_j>.

    Args:
        W: neurons, shape (m, d).
        a: their head, shape (m,).
        sample: the samples.

    Returns:
        (e, r) of shapes (m, d) and (n,).

    Raises:
        BadParameter: if the shapes do not fit.
        TypeError: if an argument is no floating-point tensor.

    Source: derived here. Chapter: local_recovery.
    """
    check_neurons(matrix("W", W, sample.X.shape[1]), a)
    return _pull(W, a, sample)


def sampled_first_step(U: torch.Tensor, sample: AffineFit) -> torch.Tensor:
    """Return the directions of neurons after one gradient step from f = 0 that leaves nothing of the start.

    Args:
        U: neurons at the start, rows of any length, shape (m, d).
        sample: the samples.

    Returns:
        Unit rows of shape (m, d).

    Raises:
        BadParameter: if the shapes do not fit.
        TypeError: if U is no floating-point tensor.

    Source: the first step of Damian, Lee and Soltanolkotabi 2022. Chapter: local_recovery.
    """
    moved, _ = sampled_pull(U, torch.zeros_like(matrix("U", U, sample.X.shape[1])[:, 0]), sample)
    return torch.nn.functional.normalize(moved, dim=1)


def fit_sampled_head(U: torch.Tensor, sample: AffineFit, penalty: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the ridge regression on frozen unit neurons, in the balanced form |a_j| = |w_j|.

    The masses c minimise |F c - y|^2 / (2 n) + penalty |c|^2 / 2, F the absolute values less their affine part.

    Args:
        U: unit neurons, shape (m, d).
        sample: the samples.
        penalty: above 0.

    Returns:
        (W, a) with a_j w_j = c_j u_j, shapes (m, d) and (m,).

    Raises:
        BadParameter: if the shapes do not fit or the penalty is out of range.
        TypeError: if U is no floating-point tensor.

    Source: derived here. Chapter: local_recovery.
    """
    features = sample.rest((sample.X @ matrix("U", U, sample.X.shape[1]).T).abs_())
    ridge = real_number("penalty", penalty, above=0) * torch.eye(len(U), dtype=U.dtype, device=U.device)
    right = features.T @ sample.y / len(sample.y)
    return balanced(U, torch.linalg.solve(features.T @ features / len(sample.y) + ridge, right))


def descend_on_sample(
    W: torch.Tensor,
    a: torch.Tensor,
    sample: AffineFit,
    decays: Sequence[float],
    steps: int,
    rate: float,
    momentum: float = MOMENTUM,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the student after gradient descent with momentum on loss + decay (|a|^2 + |W|^2) / 2, level after level.

    Args:
        W: neurons at the start, shape (m, d).
        a: their head, shape (m,).
        sample: the samples, all of which make each gradient.
        decays: one a level, at least 0.
        steps: of each level, at least 1.
        rate: step size, above 0.
        momentum: share of the last move that is kept, from 0 to 0.99.

    Returns:
        (W, a), of the shapes, dtype and device of the start.

    Raises:
        BadParameter: if shapes do not fit or a number is out of range.
        FloatingPointError: if the descent diverges.
        TypeError: if an argument is no floating-point tensor.

    Source: heavy-ball descent; schedule after Zhou and Ge 2024. Chapter: local_recovery.
    """
    sampled_pull(W, a, sample)
    levels = list_of("decays", decays, lambda name, value: real_number(name, value, least=0))
    whole_number("steps", steps), real_number("rate", rate, above=0), real_number("momentum", momentum, 0, 0.99)
    W, a = W.clone(), a.clone()
    move, turn = torch.zeros_like(W), torch.zeros_like(a)
    for decay in levels:
        for _ in range(steps):
            e, _ = _pull(W, a, sample)
            move.mul_(momentum).sub_(a[:, None] * e + decay * W, alpha=rate)
            turn.mul_(momentum).sub_((W * e).sum(1) + decay * a, alpha=rate)
            W += move
            a += turn
    if not (torch.isfinite(W).all() and torch.isfinite(a).all()):
        raise FloatingPointError(f"rate = {rate:g} is too large: the descent diverged; it must be smaller.")
    return W, a


def recover(
    X: torch.Tensor,
    y: torch.Tensor,
    width: int,
    generator: torch.Generator,
    decays: Sequence[float] = SAMPLED_DECAYS,
    steps: int = LEVEL_STEPS,
    start: str = "stages",
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the student (W, a) that the three stages find from n samples, all of them used in each stage.

    Two other starts of stage 3 are there for comparison. One leaves stage 1 out. The other, small, has the directions
    of stage 1 and masses of one size and alternating signs, a fiftieth of those of the head in sum.

    Args:
        X: inputs, shape (n, d) with n > d + 1.
        y: labels, shape (n,).
        width: m, at least 1.
        generator: source of the directions at the start.
        decays: weight decay of one level after another, at least 0; all 0 for descent without decay.
        steps: of each level.
        start: "stages", "random directions" or "small".

    Returns:
        Neurons (m, d) and their head (m,), dtype and device of X.

    Raises:
        BadParameter: if shapes do not fit, a number is out of range, or the decays are so large that descent diverges.
        TypeError: if an argument is no floating-point tensor.

    Source: after Zhou and Ge 2024. Chapter: local_recovery.
    """
    sample = without_affine_part(X, y)
    if sample.y.norm() <= torch.finfo(y.dtype).eps ** 0.5 * y.norm():
        raise BadParameter("y is affine in x up to rounding: it must hold more for neurons to be found.")
    size = (whole_number("width", width), X.shape[1])
    drawn = torch.randn(*size, generator=generator, dtype=torch.float64, device=generator.device)
    bare = one_of("start", start, STARTS) == "random directions"
    U = torch.nn.functional.normalize(drawn.to(X), dim=1) if bare else sampled_first_step(drawn.to(X), sample)
    W, a = fit_sampled_head(U, sample, HEAD_PENALTY)
    mass = float(masses(W, a).abs().sum())
    rate = SAMPLED_RATE / mass
    if start == "small":
        signs = 1.0 - 2.0 * (torch.arange(width, dtype=X.dtype, device=X.device) % 2)
        W, a = balanced(U, SMALL * mass / width * signs)
    for _ in range(HALVINGS):  # the mass may grow far beyond that of the head, where the first step saw nothing
        try:
            return descend_on_sample(W, a, sample, decays, steps, rate)
        except FloatingPointError:
            rate /= 2
    raise BadParameter(f"decays = {list(decays)!r} make the descent diverge: they must be smaller.")


def sampled_risk(W: torch.Tensor, a: torch.Tensor, X: torch.Tensor, y: torch.Tensor, teacher: AbsoluteTeacher) -> float:
    """Return E (f - f*)^2 / Var f* of a student and the affine function that fits what it leaves of the labels.

    The student of centred absolute values is orthogonal to affine functions, so the error is that of the student, exact
    by the population kernel, and the squared coefficients of the affine function, whose part in f* is the constant.

    Args:
        W: neurons, shape (m, d).
        a: their head, shape (m,).
        X: inputs on which the affine function is fitted, shape (n, d) with n > d + 1.
        y: their labels, shape (n,), those of the teacher less its mean, and noise.
        teacher: f*.

    Raises:
        BadParameter: if shapes do not fit.
        TypeError: if an argument is no floating-point tensor.

    Source: derived here. Chapter: local_recovery.
    """
    check_neurons(matrix("W", W, matrix("X", X).shape[1]), a)
    W, a, X, y = (tensor.double() for tensor in (W, a, X, vector("y", y, len(X))))
    centred = (X @ W.T).abs() @ a - math.sqrt(2 / math.pi) * masses(W, a).sum()
    affine = torch.linalg.lstsq(torch.cat((torch.ones_like(X[:, :1]), X), 1), (y - centred)[:, None]).solution
    loss = population_loss(W, a, teacher.V.to(W), teacher.b.to(W))
    return float(2 * loss + affine.square().sum()) / teacher.variance


def _pull(W: torch.Tensor, a: torch.Tensor, sample: AffineFit) -> tuple[torch.Tensor, torch.Tensor]:
    values = sample.X @ W.T
    signs = values.sign()
    residuals = sample.rest(values.abs_() @ a) - sample.y
    return signs.T @ (sample.X * (residuals / len(residuals))[:, None]), residuals
