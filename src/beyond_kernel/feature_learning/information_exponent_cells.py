"""The experiments of chapter information_exponent on plain online SGD: pure functions of one cell's parameters."""

from collections.abc import Sequence
from itertools import islice

import numpy as np
import torch
from scipy.stats import ks_2samp

from beyond_kernel.checks import list_of, one_of, real_number, whole_number
from beyond_kernel.feature_learning.information_exponent import plan_search, refuse_stalling
from beyond_kernel.feature_learning.online_sgd import correlation_pull, draw_weights, online_sgd, square_pull
from beyond_kernel.feature_learning.overlap_chain import (
    correlation_rule,
    hitting_steps,
    overlap_paths,
    square_rule,
    start_overlaps,
)
from beyond_kernel.feature_learning.search_cells import search_summary
from beyond_kernel.random_streams import generator_for

LOSSES = {"correlation": (correlation_rule, correlation_pull), "square": (square_rule, square_pull)}
"""Of each loss, the step of the chain and the pull of the simulation."""


def hitting_cell(
    link: str,
    dims: Sequence[int],
    groups: int,
    searches: int,
    noise: float,
    *,
    pace: float = 0.5,
    loss: str = "correlation",
    patience: float = 5.0,
    device: str = "cpu",
    seed: int,
) -> dict:
    """Search from random starts until |m| reaches one half: all dimensions, and some groups of searches, side by side.

    The starts of an odd exponent are folded to m > 0, as half of all starts are. A search stops after ``patience``
    times the steps that the differential equation predicts for its dimension.

    Returns:
        ``medians`` of the steps in each group, (D, groups), and ``median`` of all searches, (D,), NaN where fewer than
        half arrived; ``found``, (D,), the fraction that arrived; ``expected``, (D,), steps by the equation.

    Raises:
        BadParameter: as ``plan_search``; if the equation does not reach one half at a dimension and so sets no limit.
    """
    search = plan_search(link, noise, pace)
    sizes = list_of("dims", list(dims), lambda name, value: whole_number(name, value, least=3))
    expected = [search.steps(d) for d in sizes]
    refuse_stalling(search, sizes, expected)
    replicas = whole_number("groups", groups) * whole_number("searches", searches)
    columns = torch.tensor(sizes, device=device).repeat_interleave(replicas)
    generator = generator_for(seed, "hitting", link)
    starts = start_overlaps(columns, generator)
    limit = torch.tensor(expected, dtype=torch.float64, device="cpu") * real_number("patience", patience, above=0)
    steps = hitting_steps(
        search.link,
        LOSSES[one_of("loss", loss, list(LOSSES))][0](search.link, search.rates(columns)),
        starts.abs() if search.exponent % 2 else starts,
        columns,
        limit.ceil().long().repeat_interleave(replicas),
        generator,
        noise=noise,
    )
    return search_summary(steps, groups, searches) | {"expected": np.array(expected)}


def law_cell(
    link: str,
    d: int,
    loss: str,
    steps: int,
    replicas: int,
    noise: float,
    *,
    device: str = "cpu",
    seed: int,
) -> dict:
    """Compare the overlap after some steps, by the chain and by the simulation in d dimensions, with one step size.

    Starts are random on the sphere, with their sign. The chain runs four times as many replicas as the simulation.

    Returns:
        ``p_value`` and ``distance`` of the two-sample test of Kolmogorov and Smirnov on |m|, and the ``chain`` and the
        ``simulated`` deciles of |m|, each of shape (9,).

    Raises:
        BadParameter: if an argument is out of range.
    """
    search = plan_search(link, noise)
    rule, pull = LOSSES[one_of("loss", loss, list(LOSSES))]
    generator = generator_for(seed, "law", link, loss, d)
    columns = torch.full((4 * whole_number("replicas", replicas),), whole_number("d", d, least=3), device=device)
    rates = search.rates(columns)
    chain = overlap_paths(
        search.link,
        rule(search.link, rates),
        start_overlaps(columns, generator),
        columns,
        [whole_number("steps", steps)],
        generator,
        noise=noise,
    )[0]
    u = draw_weights(1, d, generator)[0].to(device)
    W = draw_weights(replicas, d, generator).to(device)
    walk = online_sgd(search.link, pull(search.link), W, u, rates[:replicas], generator, noise=noise)
    after = next(islice(walk, steps, None)) @ u  # the walk gives the start first
    found = {"chain": chain.abs().cpu().numpy(), "simulated": after.abs().cpu().numpy()}
    test = ks_2samp(found["chain"], found["simulated"])
    deciles = {name: np.quantile(values, np.arange(0.1, 0.95, 0.1)) for name, values in found.items()}
    return {"p_value": float(test.pvalue), "distance": float(test.statistic)} | deciles
