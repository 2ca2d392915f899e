"""Yes-or-no tasks over shared hidden directions: functions of the signs of a few coordinates, drawn from a family.

A function g of r signs has the Fourier coefficients g_S = E g(s) prod_{i in S} s_i. On Gaussian inputs its Hermite
coefficients follow from them: the linear part along z_i is sqrt(2/pi) g_{i}, since E |z_i| = sqrt(2/pi).
"""

import math
from dataclasses import dataclass

import torch

from beyond_kernel.checks import BadParameter, matrix, one_of, vector, whole_number
from beyond_kernel.foundations.targets.hidden_directions import drawn_directions

FAMILIES = ("balanced", "odd", "even", "parities")
"""Laws of tasks, in this order any balanced function, one that is odd, one that is even, a product of some signs."""
KINDS = {
    "one sign": "01010101",
    "product of two": "01100110",
    "product of three": "01101001",
    "majority": "00010111",
    "switch": "00110101",
    "one sign, or turned": "01100101",
}
"""The six kinds of balanced functions of three signs, with the answers of one of each kind at the eight patterns.

All 70 such functions arise from these by exchanging signs of the coordinates, coordinates, and yes and no.
"""
SIZES = {
    "one sign": 6,
    "product of two": 6,
    "product of three": 2,
    "majority": 8,
    "switch": 24,
    "one sign, or turned": 24,
}
"""How many of the 70 functions are of each kind."""
MOST_SIGNS = 8
"""Largest r that is accepted, since a task keeps its answers at all 2^r patterns."""


@dataclass(frozen=True, eq=False)
class SignTask:
    """A task y = g(sign z_1, ..., sign z_r) in {-1, 1} on hidden coordinates z = U^T x, x ~ N(0, I_d).

    Attributes:
        directions: U, orthonormal columns, float64 (d, r).
        answers: g at the 2^r patterns, of which number p has sign z_i = +1 where bit i - 1 of p is 1; float64 (2^r,).
    """

    directions: torch.Tensor
    answers: torch.Tensor

    def __post_init__(self) -> None:
        r = matrix("directions", self.directions).shape[1]
        if not bool((vector("answers", self.answers, 2**r).abs() == 1).all()):
            raise BadParameter(f"answers = {self.answers.tolist()!s:.60} is not accepted: each must be -1 or 1.")

    @property
    def dim(self) -> int:
        """Dimension of the inputs."""
        return len(self.directions)

    @property
    def variance(self) -> float:
        """Variance of y, whose square is 1."""
        return 1.0 - float(self.answers.mean()) ** 2

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return the labels at the rows of X, of shape (n,), dtype and device of X."""
        bits = (matrix("X", X, self.dim) @ self.directions.to(X) > 0).to(torch.int64)
        powers = 2 ** torch.arange(bits.shape[1], device=X.device)
        return self.answers.to(X)[(bits * powers).sum(1)]


def sign_patterns(r: int) -> torch.Tensor:
    """Return all patterns of r signs, row p with sign i positive where bit i of p is 1, float64 (2^r, r).

    Args:
        r: number of signs, from 1 to ``MOST_SIGNS``.

    Raises:
        BadParameter: if r is out of range.

    Chapter: many_tasks.
    """
    numbers = torch.arange(2 ** whole_number("r", r, most=MOST_SIGNS), device="cpu")
    return 2.0 * (numbers[:, None] >> torch.arange(r, device="cpu") & 1).double() - 1


def sign_tasks(family: str, d: int, r: int, tasks: int, generator: torch.Generator, seed: int) -> list[SignTask]:
    """Draw tasks over the same hidden directions, independently and uniformly from a family of functions of r signs.

    Args:
        family: one of ``FAMILIES``; all but "parities" are uniform over the functions that the word allows, and a
            parity is plus or minus the product of a set of signs that is uniform among those that are not empty.
        d: dimension of the inputs.
        r: number of hidden directions, from 1 to ``MOST_SIGNS`` and d; at least 2 for "even".
        tasks: T, how many.
        generator: source of the functions.
        seed: of the directions.

    Raises:
        BadParameter: if the family is unknown or a number is out of range.

    Source: the tasks of Collins et al. 2024 are binary and depend on r directions (abstract); these families are our
    own choice. Chapter: many_tasks.

    >>> drawn = sign_tasks("odd", 5, 2, 3, torch.Generator().manual_seed(0), seed=0)
    >>> [float(task.answers.sum()) for task in drawn]
    [0.0, 0.0, 0.0]
    """
    least = 2 if one_of("family", family, FAMILIES) == "even" else 1
    whole_number("r", r, least=least, most=min(MOST_SIGNS, whole_number("d", d)))
    U = drawn_directions(d, r, seed)
    return [SignTask(U, _answers(family, r, generator)) for _ in range(whole_number("tasks", tasks))]


def _answers(family: str, r: int, generator: torch.Generator) -> torch.Tensor:
    patterns, here = 2**r, generator.device
    if family == "parities":
        chosen = int(torch.randint(1, patterns, (1,), generator=generator, device=here))
        sign = 2.0 * int(torch.randint(2, (1,), generator=generator, device=here)) - 1
        members = [i for i in range(r) if chosen >> i & 1]
        return sign * sign_patterns(r)[:, members].prod(1)
    if family == "odd":  # patterns p and 2^r - 1 - p have all signs opposite
        half = 2.0 * torch.randint(2, (patterns // 2,), generator=generator, device=here).cpu().double() - 1
        return torch.cat([half, -half.flip(0)])
    free = patterns // 2 if family == "even" else patterns
    drawn = torch.randperm(free, generator=generator, device=here).cpu()
    answers = 2.0 * (drawn < free // 2).double() - 1
    return torch.cat([answers, answers.flip(0)]) if family == "even" else answers


def task_of_kind(kind: str, d: int, seed: int) -> SignTask:
    """Return one task of three signs of a kind, over hidden directions drawn from a seed.

    Args:
        kind: a key of ``KINDS``.
        d: dimension of the inputs, at least 3.
        seed: of the directions.

    Raises:
        BadParameter: if the kind is unknown or d is below 3.

    Chapter: many_tasks.

    >>> task_of_kind("majority", 5, seed=0).answers.tolist()
    [-1.0, -1.0, -1.0, 1.0, -1.0, 1.0, 1.0, 1.0]
    """
    one_of("kind", kind, list(KINDS))
    answers = [2.0 * int(bit) - 1 for bit in KINDS[kind]]
    U = drawn_directions(whole_number("d", d, least=3), 3, seed)
    return SignTask(U, torch.tensor(answers, dtype=U.dtype, device=U.device))


def linear_energy(task: SignTask) -> float:
    """Return the share of the mean square of a task that a linear function explains: (2/pi) sum_i g_{i}^2.

    Args:
        task: what is explained.

    Chapter: many_tasks.

    >>> round(linear_energy(task_of_kind("one sign", 5, seed=0)) * math.pi, 6)
    2.0
    """
    answers = task.answers
    patterns = sign_patterns(task.directions.shape[1]).to(answers)
    return float((patterns.T @ answers / len(answers)).square().sum()) * 2 / math.pi


def relevant_directions(task: SignTask) -> int:
    """Return on how many hidden directions a task depends: those whose sign changes an answer.

    Args:
        task: with r hidden directions.

    Chapter: many_tasks.

    >>> [relevant_directions(task_of_kind(kind, 5, seed=0)) for kind in KINDS]
    [1, 2, 3, 3, 3, 3]
    """
    numbers = torch.arange(len(task.answers), device="cpu")
    answers = task.answers.cpu()
    return sum(bool((answers != answers[numbers ^ 2**i]).any()) for i in range(task.directions.shape[1]))


def visible_directions(task: SignTask) -> int:
    """Return how many hidden directions the linear and the quadratic part of a task span together.

    Along z_i and z_i z_j (i < j) the coefficients are sqrt(2/pi) g_{i} and (2/pi) g_{ij}, along z_i^2 - 1 it is 0.

    Args:
        task: with r hidden directions.

    Chapter: many_tasks.

    >>> [visible_directions(task_of_kind(kind, 5, seed=0)) for kind in KINDS]
    [1, 2, 0, 1, 3, 2]
    """
    signs = sign_patterns(task.directions.shape[1]).to(task.answers)
    linear = signs.T @ task.answers / len(signs)
    pairs = (signs.T * task.answers) @ signs / len(signs)
    pairs.fill_diagonal_(0.0)
    return int(torch.linalg.matrix_rank(torch.cat([linear[:, None], pairs], dim=1)))


def linear_strength(family: str, r: int) -> float:
    """Return tau^2 = E b_i^2 for the linear part b of a drawn task along any hidden direction.

    Each family is as symmetric as it can be: E g_S g_S' is 0 for S != S' and the same for all sets that are allowed,
    and sum_S g_S^2 = 1. So E g_{i}^2 is one over the number of such sets: 2^r - 1 for "balanced" and "parities",
    2^(r-1) for "odd"; no single i is allowed for "even".

    Args:
        family: one of ``FAMILIES``.
        r: number of hidden directions.

    Raises:
        BadParameter: if the family is unknown or r is out of range.

    Source: derived here. Chapter: many_tasks.

    >>> round(linear_strength("balanced", 3) * math.pi, 6)  # 2 / 7
    0.285714
    """
    whole_number("r", r, most=MOST_SIGNS)
    if one_of("family", family, FAMILIES) == "even":
        return 0.0
    return 2 / math.pi / (2 ** (r - 1) if family == "odd" else 2**r - 1)
