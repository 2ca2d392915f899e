"""Good directions: linear and quadratic part of one network trained together, the linear part held to low degree.

The linear part f_L = J vec(W) of the Taylor model sees a move W only through the Jacobian J at the start. On n samples
J has n left singular vectors, the eigenvectors of the Gram matrix K = J J'. The first of them are functions of low
degree and *informative*. With the others f_L can remember labels, which is no help at new inputs: *bad* directions. All
moves that f_L does not see on the samples are *good*: there the quadratic part may move far.
"""

from dataclasses import dataclass

import torch

from beyond_kernel.checks import BadParameter, matrix, vector, whole_number
from beyond_kernel.escaping_the_kernel.taylor_model import TaylorModel, tangent_gram, taylor_start, train_taylor
from beyond_kernel.foundations.learning.learners import labelled
from beyond_kernel.foundations.learning.samples import Problem
from beyond_kernel.foundations.targets.target import Target
from beyond_kernel.kernel_regime.spectrum import multiplicity

PENALTY = 1.0
"""Weight of the regulariser. In trials 0.3 to 3 led to about the same risk (d = 30 and 40, n = d^1.5)."""
LINEAR_SHARES = (0.1, 0.75)
"""Shares of the linear part in the energy of a target between which the claims of the chapter were tried."""
STEPS = 400
"""Steps of gradient descent. In trials twice as many took up to a twentieth of the risk away at n = d^1.5."""


def low_degree_count(d: int, degree: int = 1) -> int:
    """Return how many spherical harmonics have at most a given degree; up to degree one they are d + 1.

    Args:
        d: dimension of the inputs, at least 2.
        degree: the highest that is counted.

    Raises:
        BadParameter: if d is below 2 or degree is negative.

    Source: any text on spherical harmonics. Chapter: good_directions.

    >>> low_degree_count(20), low_degree_count(20, 2)
    (21, 230)
    """
    whole_number("degree", degree, least=0)
    return sum(multiplicity(d, k) for k in range(degree + 1))


def form_gap(target: Target) -> str | None:
    """Return why a target is no linear part plus one squared direction at a right angle to it, or None where it is.

    Args:
        target: a polynomial; its constant does not count.

    Source: the form for which the claims of the chapter are made. Chapter: good_directions.

    >>> from beyond_kernel.foundations.targets.target import parse_target
    >>> form_gap(parse_target("z1 + h2(z2)", 5)), form_gap(parse_target("z1 + z2*z3", 5))
    (None, 'the target has 2 quadratic directions, not one')
    """
    if target.degree != 2:
        return f"the target has degree {target.degree}, not two"
    if (rank := target.hessian_rank()) != 1:
        return f"the target has {rank} quadratic directions, not one"
    slope, values_vectors = target.frame @ target.tensor(1), torch.linalg.eigh(target.expected_hessian())
    direction = values_vectors.eigenvectors[:, values_vectors.eigenvalues.abs().argmax()]
    _, linear, square = target.energy_by_degree().tolist()
    least, most = LINEAR_SHARES
    if not least - 1e-9 <= linear / (linear + square) <= most + 1e-9:
        return f"the linear part has less than {least:.0%} or more than {most:.0%} of the target's energy"
    if abs(float(slope @ direction)) > 0.1 * float(slope.norm()):
        return "the linear part and the squared direction are not at right angles"
    return None


def protected_directions(gram: torch.Tensor, protected: int) -> torch.Tensor:
    """Return the leading eigenvectors U of the training Gram matrix K, whose span the regulariser spares.

    With the singular value decomposition J = U S V' of the Jacobian on the samples these are left singular vectors; the
    right ones, of length m d, are never needed, since J P W = U U' f_L(X) for the projection P on the first of them.

    Args:
        gram: K, symmetric, of shape (n, n).
        protected: how many, at most n.

    Returns:
        Orthonormal columns, the largest eigenvalue first, of shape (n, protected), dtype and device of ``gram``.

    Raises:
        BadParameter: if K is not square, or more directions are to be protected than there are samples.

    Source: Nichani, Bai and Lee 2022, whose code takes the leading right singular vectors of the training Jacobian.
    Chapter: good_directions.
    """
    n = matrix("gram", gram).shape[1]
    if len(gram) != n:
        raise BadParameter(f"gram has shape {tuple(gram.shape)}: it must be square.")
    if whole_number("protected", protected) > n:
        raise BadParameter(f"protected = {protected} directions are more than the {n} samples: take at most {n}.")
    vectors = torch.linalg.eigh(gram.double()).eigenvectors
    return vectors[:, n - protected :].flip(1).to(gram)


def unprotected_energy(values: torch.Tensor, projector: torch.Tensor) -> float:
    """Return the regulariser (1/n) |(I - U U') f_L(X)|^2: what the linear part is on the samples beyond low degree.

    Args:
        values: f_L at the training inputs, of shape (n,).
        projector: U, orthonormal columns, of shape (n, k).

    Raises:
        BadParameter: if shapes do not fit.

    Source: Nichani, Bai and Lee 2022, as in their published code. Chapter: good_directions.
    """
    vector("values", values, len(matrix("projector", projector)))
    return float((values - projector @ (projector.T @ values)).square().mean())


@dataclass(frozen=True)
class LinearSplit:
    """A move of the weights in three parts at right angles: informative, bad, good; and f_L of each of them.

    Attributes:
        values: f_L of each part at the inputs asked for, of shape (3, k).
        squares: squared length of each part of the move, of shape (3,).
    """

    values: torch.Tensor
    squares: torch.Tensor


def split_linear_part(model: TaylorModel, X: torch.Tensor, Z: torch.Tensor, protected: int) -> LinearSplit:
    """Split the move of a Taylor model by the eigenvectors of its training Gram matrix K, without any Jacobian.

    The part of W along the right singular vectors of a block U of eigenvectors, with eigenvalues D, has at z the linear
    part K(z, X) U D^{-1} U' f_L(X) and the squared length f_L(X)' U D^{-1} U' f_L(X). The first block is informative,
    all others up to n are bad, and what is left of W is good: f_L of it is 0 at every training input. K must have full
    rank n. It has at most m d / 2, since f_L sees only the difference of the moves of two twins.

    Args:
        model: a start with a move.
        X: training inputs, of shape (n, d).
        Z: inputs at which the parts are wanted, of shape (k, d).
        protected: number of informative directions, at most n.

    Raises:
        BadParameter: if shapes do not fit, protected is above n, or K has not full rank: too narrow a network, or a
            training input that stands twice.

    Source: derived here; the split by eigenvalues is the idea of Nichani, Bai and Lee 2022. Chapter: good_directions.
    """
    n, d = matrix("X", X, model.W0.shape[1]).shape
    matrix("Z", Z, d)
    if whole_number("protected", protected) > n:
        raise BadParameter(f"protected = {protected} directions are more than the {n} samples: take at most {n}.")
    eigenvalues, vectors = torch.linalg.eigh(tangent_gram(model, X).double())
    if float(eigenvalues[0]) <= n * torch.finfo(X.dtype).eps * float(eigenvalues[-1]):
        raise BadParameter(
            f"the tangent Gram matrix of the {n} samples has not full rank, at width {model.width} in {d} "
            "dimensions: take more neurons, or samples that differ."
        )
    across, seen = tangent_gram(model, Z, X).double(), vectors.T @ model.linear_part(X).double()
    weights = seen / eigenvalues
    blocks = (slice(n - protected, n), slice(0, n - protected))
    values = [across @ (vectors[:, block] @ weights[block]) for block in blocks]
    squares = [(seen[block] * weights[block]).sum() for block in blocks]
    values.append(model.linear_part(Z).double() - values[0] - values[1])
    squares.append(model.W.double().square().sum() - squares[0] - squares[1])
    return LinearSplit(torch.stack(values).to(X), torch.stack(squares).to(X))


def learnt_directions(model: TaylorModel) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the eigenvalues of sum_r a_r w_r w_r', largest absolute value first, and its eigenvectors as columns.

    Where sigma'' varies little over the neurons the quadratic part is a multiple of x' (sum_r a_r w_r w_r') x; a large
    eigenvalue is then a direction that it has learnt.

    Args:
        model: after training.

    Returns:
        Eigenvalues of shape (d,), eigenvectors of shape (d, d).

    Source: derived here. Chapter: good_directions.
    """
    values, vectors = torch.linalg.eigh(model.outer_product())
    order = values.abs().argsort(descending=True)
    return values[order], vectors[:, order]


@labelled("joint model")
def fit_joint_model(problem: Problem, generator: torch.Generator, width: int, steps: int = STEPS) -> TaylorModel:
    """Fit linear and quadratic part together by gradient descent from a start that has not moved.

    Args:
        problem: its training sample.
        generator: source of the start.
        width: number of neurons m, even.
        steps: of gradient descent.

    Raises:
        BadParameter: as ``taylor_start`` and ``train_taylor``.

    Source: Nichani, Bai and Lee 2022, without their regulariser. Chapter: good_directions.
    """
    X = problem.train.X
    start = taylor_start(width, X.shape[1], generator, dtype=X.dtype, device=X.device)
    return train_taylor(start, X, problem.train.y, steps=steps)


@labelled("joint model, regularised")
def fit_regularised_model(
    problem: Problem,
    generator: torch.Generator,
    width: int,
    steps: int = STEPS,
    penalty: float = PENALTY,
    protected: int | None = None,
) -> TaylorModel:
    """Fit linear and quadratic part together, the linear part held to the leading directions of its Gram matrix.

    Neither the penalty nor the number of directions is chosen by labels: the latter is knowledge of the dense degree.

    Args:
        problem: its training sample.
        generator: source of the start.
        width: number of neurons m, even.
        steps: of gradient descent.
        penalty: weight of the regulariser, at least 0.
        protected: number of directions that it spares, at most n; d + 1 where it is left out, as for degree one.

    Raises:
        BadParameter: as ``taylor_start``, ``protected_directions`` and ``train_taylor``.

    Source: Nichani, Bai and Lee 2022, with their regulariser on the samples. Chapter: good_directions.

    >>> from beyond_kernel.foundations.learning.samples import draw_problem
    >>> from beyond_kernel.foundations.targets.target import parse_target
    >>> problem = draw_problem(parse_target("z1", 4), n=60, noise=0.0, seed=0, law="sphere")
    >>> model = fit_regularised_model(problem, torch.Generator().manual_seed(0), width=40, steps=50)
    >>> bool((model(problem.test.X) - problem.test.truth).square().mean() < 0.05)
    True
    """
    X = problem.train.X
    start = taylor_start(width, X.shape[1], generator, dtype=X.dtype, device=X.device)
    count = low_degree_count(X.shape[1]) if protected is None else protected
    projector = protected_directions(tangent_gram(start, X), count)
    return train_taylor(start, X, problem.train.y, steps=steps, projector=projector, penalty=penalty)
