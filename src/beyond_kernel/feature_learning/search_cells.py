"""Experiments of chapter information_exponent on what changes the exponent: pure functions of one cell's values."""

from collections.abc import Sequence

import numpy as np
import torch

from beyond_kernel.checks import BadParameter, list_of, one_of, real_number, whole_number
from beyond_kernel.feature_learning.batch_reuse import outer_factor, reuse_rule
from beyond_kernel.feature_learning.label_spectrum import label_weights, mean_direction, spectral_direction
from beyond_kernel.feature_learning.overlap_chain import (
    correlation_rule,
    hitting_steps,
    overlap_paths,
    square_rule,
    start_overlaps,
)
from beyond_kernel.feature_learning.overlap_equation import overlap_equation
from beyond_kernel.feature_learning.scaled_link import scaled_link
from beyond_kernel.feature_learning.smoothed_loss import two_stage_rule, two_stages
from beyond_kernel.random_streams import generator_for

RULES = {"correlation": correlation_rule, "square": square_rule}
LEVEL = 0.5
"""Overlap at which a search counts as done."""
LADDER = {
    0.0: [128, 512, 2048],
    0.125: [64, 128, 256, 512],
    0.25: [64, 128, 256],
    0.375: [32, 64, 128],
    0.5: [24, 48, 96],
}
"""Dimensions in which a power q of the inner step is tried, where the search takes at most some 30,000 steps."""


def equation_cell(
    link: str,
    d: int,
    step: float,
    loss: str,
    replicas: int,
    *,
    horizon: float = 5.0,
    points: int = 25,
    device: str = "cpu",
    seed: int,
) -> dict:
    """Run the chain from the overlap 0 with steps of size step / d, beside its differential equation.

    Returns:
        By time t = steps / d at ``points`` times up to ``horizon``: ``times``, ``equation``, ``mean`` and ``deviation``
        of the runs; ``one_run``, the median over runs of the largest distance from the equation; ``mean_distance``,
        that of the mean of the runs; ``error``, the largest standard error of that mean.

    Raises:
        BadParameter: if an argument is out of range, or the chain leaves the numbers.
    """
    rule_of = RULES[one_of("loss", loss, list(RULES))]
    whole_number("replicas", replicas, least=2), whole_number("d", d, least=3)
    at = np.linspace(0, real_number("horizon", horizon, above=0) * d, whole_number("points", points) + 1)
    at = np.unique(at.round().astype(int))
    rates = torch.full((replicas,), real_number("step", step, above=0) / d, dtype=torch.float64, device=device)
    rule, dims = rule_of(link, rates), torch.full((replicas,), d, device=device)
    generator = generator_for(seed, "equation", link, loss, d)
    paths = overlap_paths(link, rule, torch.zeros_like(rates), dims, at.tolist(), generator).cpu()
    equation = overlap_equation(link, rule, d).path(0.0, (at / d).tolist())
    mean, deviation = paths.mean(1), paths.std(1)
    return {
        "times": at / d,
        "equation": equation.numpy(),
        "mean": mean.numpy(),
        "deviation": deviation.numpy(),
        "one_run": float((paths - equation[:, None]).abs().amax(0).median()),
        "mean_distance": float((mean - equation).abs().max()),
        "error": float(deviation.max()) / replicas**0.5,
    }


def smoothing_cell(
    link: str,
    dims: Sequence[int],
    groups: int,
    searches: int,
    *,
    handover: float = 1.0,
    patience: float = 4.0,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray]:
    """Search on the smoothed correlation loss, then on the plain one, in groups of searches, until |m| is 1/2.

    Starts are folded to m > 0. Step sizes and the length of the first stage come from the differential equation,
    ``two_stages``, with the activation equal to the link. A search stops after ``patience`` times the predicted steps.

    Returns:
        By dimension, ``medians`` of the steps in each group and ``median`` of all, NaN where half did not arrive,
        ``found``, the fraction that arrived, and ``expected``, the steps that the equation predicts.

    Raises:
        BadParameter: as ``two_stages``.
    """
    columns = _columns(dims, groups, searches, device)
    stages = two_stages(link, link, columns, LEVEL, handover)
    generator = generator_for(seed, "smoothing", link)
    starts = start_overlaps(columns, generator).abs()
    limit = (real_number("patience", patience, above=0) * stages.predicted).ceil().long()
    steps = hitting_steps(link, two_stage_rule(link, columns, stages), starts, columns, limit, generator, level=LEVEL)
    return search_summary(steps, groups, searches) | {"expected": stages.predicted[:: groups * searches].numpy()}


def reuse_cell(
    link: str,
    dims: Sequence[int],
    q: float,
    groups: int,
    searches: int,
    *,
    inner: float = 0.5,
    activation: str = "he3",
    patience: float = 3.0,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray]:
    """Search with each sample used twice, inner and outer step proportional to d^(-1-q), in groups of searches.

    The inner step is inner * d^(-1-q). The factor of the outer step does not depend on q and is fixed before the run:
    half of the one at which the differential equation stalls at q = 0, ``outer_factor``. Starts keep their sign. A
    search stops after ``patience`` times the steps that the equation predicts.

    Returns:
        By dimension, ``medians`` of the steps until |m| reaches one half in each group and ``median`` of all, NaN
        where half did not arrive, ``found``, the fraction that arrived, and ``expected``, the predicted steps.

    Raises:
        BadParameter: if an argument is out of range, or the inner step points away from the direction.
    """
    columns, rates, moves = _two_steps(link, activation, dims, q, inner, groups, searches, device)
    expected = _expected(link, activation, columns, rates, moves, groups * searches)
    steps = _reuse_steps(link, activation, columns, rates, moves, expected, patience, seed)
    return search_summary(steps, groups, searches) | {"expected": expected.numpy()}


def single_use_cell(
    link: str,
    dims: Sequence[int],
    q: float,
    groups: int,
    searches: int,
    *,
    inner: float = 0.5,
    activation: str = "he3",
    patience: float = 3.0,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray]:
    """Search as ``reuse_cell`` does, with its outer step, its starts and its patience, but without the inner step.

    Returns:
        ``found``, (D,), the fraction of searches whose |m| reached one half in the time given to the reuse.

    Raises:
        BadParameter: as ``reuse_cell``.
    """
    columns, rates, moves = _two_steps(link, activation, dims, q, inner, groups, searches, device)
    expected = _expected(link, activation, columns, rates, moves, groups * searches)
    steps = _reuse_steps(link, activation, columns, rates, 0 * moves, expected, patience, seed)
    return {"found": search_summary(steps, groups, searches)["found"]}


def spectral_cell(
    link: str, d: int, ratio: float, transformation: str, *, device: str = "cpu", seed: int
) -> dict[str, float]:
    """Look for u in the leading eigenvector of the mean of T(y) (x x' - I) over ratio * d samples without noise.

    Samples do not depend on the transformation.

    Returns:
        ``overlap``: absolute cosine between eigenvector and u.

    Raises:
        BadParameter: as ``label_weights``, or if a number is out of range.
    """
    X, y = _labelled(link, d, ratio, device, seed)
    return {"overlap": float(spectral_direction(X, label_weights(link, y, transformation))[0].abs())}


def mean_cell(link: str, d: int, ratio: float, *, device: str = "cpu", seed: int) -> dict[str, float]:
    """Look for u in the mean of sign(y) x over the samples of ``spectral_cell``.

    Returns:
        ``overlap``: absolute cosine between that mean and u.

    Raises:
        BadParameter: if the link is not accepted or a number is out of range.
    """
    X, y = _labelled(link, d, ratio, device, seed)
    return {"overlap": float(mean_direction(X, y.sign())[0].abs())}


def _labelled(link: str, d: int, ratio: float, device: str, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ratio * d samples and their labels; by symmetry u may be the first axis."""
    n = max(1, round(real_number("ratio", ratio, above=0) * whole_number("d", d, least=2)))
    generator = generator_for(seed, "spectral", link, d, n)
    X = torch.randn(n, d, generator=generator, dtype=torch.float64, device="cpu").to(device)
    return X, scaled_link(link)(X[:, 0])


def _two_steps(
    link: str,
    activation: str,
    dims: Sequence[int],
    q: float,
    inner: float,
    groups: int,
    searches: int,
    device: str,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return dimension, outer and inner step of each replica."""
    columns = _columns(dims, groups, searches, device)
    sizes = columns.double() ** (-1 - real_number("q", q, least=0, most=0.5))
    return columns, outer_factor(link, activation, inner, LEVEL) * sizes, inner * sizes


def _expected(
    link: str, activation: str, columns: torch.Tensor, rates: torch.Tensor, moves: torch.Tensor, replicas: int
) -> torch.Tensor:
    """Return the steps that the differential equation takes from d^(-1/2) to the level, by dimension."""
    times = []
    for i in range(0, len(columns), replicas):
        d, rule = int(columns[i]), reuse_rule(activation, rates[i : i + 1], moves[i : i + 1])
        times.append(overlap_equation(link, rule, d).steps_to(LEVEL, d**-0.5))
        if times[-1] == float("inf"):
            raise BadParameter(f"q and inner are not accepted: at d = {d} the differential equation stalls before 1/2.")
    return torch.tensor(times, dtype=torch.float64, device="cpu")


def _reuse_steps(
    link: str,
    activation: str,
    columns: torch.Tensor,
    rates: torch.Tensor,
    moves: torch.Tensor,
    expected: torch.Tensor,
    patience: float,
    seed: int,
) -> torch.Tensor:
    """Return the steps of each replica; starts and samples depend on seed, link and first outer step."""
    limit = (real_number("patience", patience, above=0) * expected).ceil().long()
    limits = limit.repeat_interleave(len(columns) // len(limit))
    generator = generator_for(seed, "reuse", link, float(rates[0]))
    starts = start_overlaps(columns, generator)
    return hitting_steps(link, reuse_rule(activation, rates, moves), starts, columns, limits, generator, level=LEVEL)


def _columns(dims: Sequence[int], groups: int, searches: int, device: str) -> torch.Tensor:
    """Return the dimension of each replica."""
    sizes = list_of("dims", list(dims), lambda name, value: whole_number(name, value, least=3))
    replicas = whole_number("groups", groups) * whole_number("searches", searches)
    return torch.tensor(sizes, device=device).repeat_interleave(replicas)


def search_summary(steps: torch.Tensor, groups: int, searches: int) -> dict[str, np.ndarray]:
    """Return medians of the steps, those that did not arrive counted as the slowest, and the fraction that arrived.

    Args:
        steps: of each search, inf where it did not arrive, shape (D * groups * searches,), one dimension after another.
        groups: number of groups of searches in each dimension.
        searches: number of searches in a group.

    Returns:
        The arrays ``medians`` (D, groups), ``median`` (D,), both NaN where half did not arrive, and ``found`` (D,).

    Chapter: information_exponent.
    """
    table = steps.view(-1, groups, searches).cpu()
    found = table.isfinite().double().mean((1, 2)).numpy()
    return {"medians": _medians(table), "median": _medians(table.flatten(1)), "found": found}


def _medians(steps: torch.Tensor) -> np.ndarray:
    """Return the upper median along the last dimension, NaN where it is infinite."""
    middle = steps.sort(-1).values[..., steps.shape[-1] // 2]
    return torch.where(middle.isinf(), torch.nan, middle).numpy()
