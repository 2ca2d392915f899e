"""The map of the book: which method learns which target, under which condition, and at what order of samples."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import xarray

from beyond_kernel.checks import BadParameter, list_of, whole_number
from beyond_kernel.foundations.exponents.exponents import generative_exponent
from beyond_kernel.foundations.targets.target import Target

_PLANNED = "planned"


@dataclass(frozen=True)
class Cost:
    """What one method asks of a target: order n = d^exponent, the target's number of directions held fixed.

    Attributes:
        learner: the method.
        exponent: power of d, up to constants and logarithms; NaN where the condition fails.
        condition: what the target must satisfy, in words.
        holds: whether it does.
        reason: the numbers of this target that decide, and what happens otherwise.
        source: paper, and how far it was read.
        chapter: chapter of this book that runs the method, or "planned".

    Chapter: targets_and_inputs.
    """

    learner: str
    exponent: float
    condition: str
    holds: bool
    reason: str
    source: str
    chapter: str

    @property
    def order(self) -> str:
        """The order of n in words, such as "d^(3/2)"; "-" where the condition fails."""
        if not self.holds:
            return "-"
        power = Fraction(self.exponent)
        if power.denominator > 1:
            return f"d^({power})"
        return {0: "1", 1: "d"}.get(power.numerator, f"d^{power}")


def sample_costs(target: Target) -> list[Cost]:
    """Return for each method of the book the order of samples that its theory predicts for a target.

    Inputs are Gaussian, or uniform on the sphere for the kernel; d grows, degree and number of directions do not. Every
    order is up to constants and logarithms. Where two theorems speak of one method, the row is the one for
    polynomials.

    Args:
        target: polynomial target, not constant.

    Raises:
        BadParameter: if the target is constant.

    Source: the papers named in the rows. Chapter: targets_and_inputs.
    """
    target.information_exponent()  # refuses a constant
    return [
        _kernel(target),
        _one_step(target),
        _transfer(target),
        _online(target),
        _smoothed(target),
        _reused(target),
        _spectral(target),
        _layers(target),
    ]


def single_index_text(target: Target) -> str:
    """Return a target of rank one as the text of a polynomial in z1, where z1 is its one relevant direction.

    C_k of such a target is c_k v x ... x v, and the coefficient of He_k is c_k / k!. Coefficients are rounded to twelve
    digits; absent degrees stay absent.

    Args:
        target: a target of rank 1.

    Raises:
        BadParameter: if the rank is not 1.

    Source: Hermite expansion. Chapter: targets_and_inputs.
    """
    if target.rank != 1:
        raise BadParameter(f"target {target.text!r} has rank {target.rank}: a single index has rank 1.")
    v = target.frame.T @ target.directions[:, 0]
    terms = []
    for k, energy in enumerate(target.energy_by_degree().tolist()):
        if not energy:
            continue
        contracted = target.tensor(k)
        for _ in range(k):
            contracted = contracted @ v
        factor = float(contracted) / math.factorial(k)
        terms.append(f"{factor:+.12f}" + (f"*He{k}(z1)" if k else ""))
    return " ".join(terms)


def cost_table(costs: Sequence[Cost]) -> str:
    """Return rows as a plain text table: method, order, whether and why the condition holds, source, chapter.

    Args:
        costs: rows from ``sample_costs``.

    Chapter: targets_and_inputs.
    """
    lines = []
    for cost in costs:
        mark = "yes" if cost.holds else "no "
        lines.append(f"{cost.learner:<32} n ~ {cost.order:<8} {mark} {cost.condition}: {cost.reason}")
        lines.append(f"{'':<32} {cost.source}; chapter: {cost.chapter}")
    return "\n".join(lines)


def predicted_orders(costs: Sequence[Cost], dims: Sequence[int]) -> xarray.DataArray:
    """Return n = d^exponent with dimensions learner and d; methods of one exponent share a line.

    Args:
        costs: rows from ``sample_costs``; those whose condition fails are left out.
        dims: dimensions d, each at least 1.

    Raises:
        BadParameter: if ``dims`` is empty or holds anything else.

    Chapter: targets_and_inputs.
    """
    list_of("dims", dims, whole_number)
    shared: dict[float, list[Cost]] = {}
    for cost in sorted((cost for cost in costs if cost.holds), key=lambda cost: -cost.exponent):
        shared.setdefault(cost.exponent, []).append(cost)
    names = [f"{', '.join(cost.learner for cost in row)}: {row[0].order}" for row in shared.values()]
    values = [[float(d) ** exponent for d in dims] for exponent in shared]
    return xarray.DataArray(values, {"learner": names, "d": list(dims)}, ["learner", "d"])


def _kernel(target: Target) -> Cost:
    return Cost(
        "rotation-invariant kernel",
        float(target.degree),
        "none",
        True,
        f"degree p = {target.degree}; fewer directions do not help",
        "Ghorbani et al. 2021 (abstract)",
        "kernel_regime/degree_by_degree",
    )


def _one_step(target: Target) -> Cost:
    seen, rank = target.hessian_rank(), target.rank
    holds = not target.has_degenerate_hessian
    fault = f"rank of H = {seen} of {rank}" + ("" if holds else ": what lives on the others is not learnt")
    return Cost(
        "one giant step",
        2.0 if holds else math.nan,
        "non-degenerate expected Hessian",
        holds,
        fault + (f"; n ~ d^2 r + d r^p with r = {rank}, p = {target.degree}" if holds else ""),
        "Damian, Lee, Soltanolkotabi 2022, Theorem 1",
        "feature_learning/one_step",
    )


def _transfer(target: Target) -> Cost:
    return Cost(
        "transfer, frozen first layer",
        0.0,
        "a source task on the same directions that one step learns",
        True,
        f"N ~ r^p with r = {target.rank}, p = {target.degree}; the source has paid d^2",
        "Damian, Lee, Soltanolkotabi 2022, Theorem 3",
        "transfer/frozen_representation",
    )


def _online(target: Target) -> Cost:
    k = target.information_exponent()
    exponent = 1 if k <= 2 else k - 1
    note = " (with a factor log d)" if k == 2 else ""
    return _single(
        target,
        "online SGD, single index",
        exponent,
        f"information exponent {k}{note}",
        "Ben Arous, Gheissari, Jagannath 2021 (abstract)",
    )


def _smoothed(target: Target) -> Cost:
    k = target.information_exponent()
    return _single(
        target,
        "online SGD on the smoothed loss",
        max(k / 2, 1),
        f"information exponent {k}",
        "Damian, Nichani, Ge, Lee 2023 (abstract)",
    )


def _reused(target: Target) -> Cost:
    return _single(
        target,
        "SGD that reuses a batch",
        1,
        "any polynomial link",
        "Lee, Oko, Suzuki, Wu 2024; Dandi et al. 2024 (abstracts)",
    )


def _spectral(target: Target) -> Cost:
    k = generative_exponent(single_index_text(target)) if target.rank == 1 else 0
    return _single(
        target,
        "transformed labels, spectral",
        max(k / 2, 1),
        f"generative exponent {k}",
        "Damian, Pillaud-Vivien, Lee, Bruna 2024 (abstract)",
    )


def _layers(target: Target) -> Cost:
    leap = target.leap()
    return Cost(
        "SGD on a two-layer network",
        float(max(leap, 2)),
        "none (a conjecture, proved for a class of targets)",
        True,
        f"leap {leap} in the coordinates of the text; steps, each with a fresh sample",
        "Abbe, Boix-Adsera, Misiakiewicz 2023 (abstract)",
        _PLANNED,
    )


def _single(target: Target, learner: str, exponent: float, reason: str, source: str) -> Cost:
    holds = target.rank == 1
    return Cost(
        learner,
        float(exponent) if holds else math.nan,
        "one relevant direction",
        holds,
        reason if holds else f"rank {target.rank}",
        source,
        _PLANNED,
    )
