"""How long a random start searches on inputs with a spike, as pure functions of one cell's parameters."""

from collections.abc import Sequence

import numpy as np
import torch

from beyond_kernel.checks import BadParameter, list_of, real_number, whole_number
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.spiked_chain import spiked_hits
from beyond_kernel.transfer.spiked_neuron import spiked_neuron, told_signs
from beyond_kernel.transfer.unlabelled_pretraining import random_starts

LEVEL = 0.9
"""Overlap at which a direction counts as found."""


def waiting_cell(
    link: str,
    d: int,
    labels: Sequence[float],
    steps: Sequence[float],
    strength: float,
    cosine: float,
    replicas: int,
    *,
    noise: float = 0.0,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray]:
    """Let random starts that are told their better sign search, at each of some step sizes, and count who is there.

    Args:
        link: text of the link.
        d: dimension.
        labels: numbers of labels, in units of d, ascending; the last is the budget.
        steps: step sizes in units of 1 / d.
        strength: theta, of the spike.
        cosine: of the angle between spike and direction.
        replicas: neurons for each step size.
        noise: standard deviation of the label noise.
        device: where starts lie, the chain runs on the processor.
        seed: of everything drawn.

    Returns:
        ``found``, the share of neurons that has been at 0.9 by then, (steps, labels); ``median``, labels in units of d
        after which half of them have, (steps,), NaN where that takes more than the budget.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: unlabelled_pretraining.
    """
    task, generator = spiked_neuron(link, d, strength, cosine, noise), generator_for(seed, "waiting", link, d)
    budgets = np.asarray(list_of("labels", list(labels), lambda name, value: real_number(name, value, above=0)))
    if (np.diff(budgets) <= 0).any():
        raise BadParameter(f"labels = {budgets[:4].tolist()}... are not accepted: they must be ascending.")
    sizes = list_of("steps", list(steps), lambda name, value: real_number(name, value, above=0))
    each = whole_number("replicas", replicas)
    rates = torch.tensor(sizes, dtype=torch.float64, device=device).repeat_interleave(each) / d
    starts = told_signs(task, random_starts(task, len(rates), generator).to(device))
    reached = spiked_hits(task, starts, rates, round(budgets[-1] * d), generator, level=LEVEL)
    needed = reached.reshape(len(sizes), each).cpu().numpy() / d
    middle = np.sort(needed, 1)[:, each // 2]  # the upper of two, so that half or more are there
    return {
        "found": (needed[:, :, None] <= budgets).mean(1),
        "median": np.where(np.isfinite(middle), middle, np.nan),
    }
