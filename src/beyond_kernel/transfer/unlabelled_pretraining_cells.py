"""The experiments of unlabelled_pretraining, each a pure function of one cell's parameters.

A budget in units of d counts every label that a neuron sees, those that choose the sign of its start included.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch

from beyond_kernel.checks import list_of, real_number, whole_number
from beyond_kernel.foundations.inputs.targets_and_inputs import predicted_spike_overlap
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.spiked_chain import spiked_hits, spiked_sgd
from beyond_kernel.transfer.spiked_flow import flow_labels, flow_paths
from beyond_kernel.transfer.spiked_neuron import SpikedNeuron, spiked_neuron, state_overlaps, told_signs
from beyond_kernel.transfer.spiked_wait_cells import LEVEL
from beyond_kernel.transfer.unlabelled_pretraining import (
    component_overlaps,
    component_starts,
    random_starts,
    signed_by_labels,
)

SIGN_LABELS = 10
"""Labels, in units of d, that choose the sign of a component; an even link needs none."""

HORIZON = 12.0
"""Longest time of a mean flow that is asked when it arrives."""


def start_cell(
    link: str,
    d: int,
    unlabelled: float,
    labels: float,
    steps: Sequence[float],
    strength: float,
    cosine: float,
    groups: int,
    replicas: int,
    *,
    noise: float = 0.0,
    points: int = 31,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray]:
    """Train neurons by online SGD from a component and from a random start, at each of some step sizes.

    A random start is told its better sign, and gets a label for each input that the component had without one.

    Args:
        link, d, strength, cosine, noise: of the neuron and its labels.
        unlabelled, labels: inputs without and with a label, in units of d.
        steps: step sizes in units of 1 / d, the same for both starts.
        groups, replicas: groups of neurons, each of which gives a median, and neurons in each.
        points: how many numbers of labels are looked at.
        device, seed: where starts lie, the chain runs on the processor; of everything drawn.

    Returns:
        ``labels``, numbers of labels in units of d, (points,); ``component`` and ``random``, median overlaps of each
        group at these, (points, steps, groups), with ``_final`` at the end, (steps, groups), the random one with its
        extra labels, and with ``_found`` shares of neurons at 0.9 then, (steps,); ``needed`` and ``random_needed``,
        labels in units of d after which half of a group has been at 0.9, (steps, groups), NaN where it never is;
        ``median``, the same for all neurons from the component, (steps,).

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: unlabelled_pretraining.
    """
    task, generator = spiked_neuron(link, d, strength, cosine, noise), generator_for(seed, "starts", link, d)
    sizes = list_of("steps", list(steps), lambda name, value: real_number(name, value, above=0))
    shape = (2, len(sizes), whole_number("groups", groups), whole_number("replicas", replicas))
    neurons, spent = math.prod(shape[1:]), _sign_labels(task)
    counts = np.linspace(0, real_number("labels", labels, above=spent), whole_number("points", points, least=2))
    starts = [_start(task, ratio, neurons, generator, device) for ratio in (unlabelled, 0)]
    rates = torch.tensor(sizes, dtype=torch.float64, device=device).repeat_interleave(math.prod(shape[2:])).repeat(2)
    late, early, end = (
        np.round(np.asarray(item) * d).astype(int).tolist()
        for item in (counts, np.maximum(counts - spent, 0), labels + unlabelled)
    )
    at = sorted({*late, *early, end})
    run = spiked_sgd(task, torch.cat(starts), rates / d, at, generator, level=LEVEL)
    heights = (run.overlaps.abs() if task.is_even else run.overlaps).reshape(len(at), *shape)
    return _summary(heights, run.reached.reshape(shape) / d, at, early, late, spent, labels) | {"labels": counts}


def _summary(
    heights: torch.Tensor,
    reached: torch.Tensor,
    at: list[int],
    early: list[int],
    late: list[int],
    spent: int,
    labels: float,
) -> dict[str, np.ndarray]:
    """Return medians and shares of ``start_cell``, both starts at their own steps, and both at their own last one."""
    rows = {step: row for row, step in enumerate(at)}
    component, chance = heights[[rows[step] for step in early], 0], heights[[rows[step] for step in late], 1]
    last = {"component": component[-1], "random": heights[-1, 1]}
    paid = reached[0] + spent
    return {
        "component": _array(component.median(-1).values),
        "random": _array(chance.median(-1).values),
        "needed": _within(_medians(paid), labels),
        "random_needed": _within(_medians(reached[1]), math.inf),
        "median": _within(_medians(paid.flatten(1)), labels),
        **{f"{name}_final": _array(values.median(-1).values) for name, values in last.items()},
        **{f"{name}_found": _array((values >= LEVEL).double().mean((1, 2))) for name, values in last.items()},
    }


def savings_cell(
    link: str,
    d: int,
    ratios: Sequence[float],
    labels: float,
    step: float,
    strength: float,
    cosine: float,
    groups: int,
    replicas: int,
    *,
    noise: float = 0.0,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray]:
    """Count the labels until the direction is found, from components of more and more inputs.

    Args:
        link: text of the link.
        d: dimension.
        ratios: inputs without label in units of d; 0 stands for a random start that is told its sign.
        labels: the most labels, in units of d.
        step: step size in units of 1 / d.
        strength: theta, of the spike.
        cosine: of the angle between spike and direction.
        groups: groups of neurons, each of which gives a median.
        replicas: neurons in a group.
        noise: standard deviation of the label noise.
        device: where starts lie and results come from.
        seed: of everything drawn.

    Returns:
        ``needed``, labels in units of d after which half of a group is at 0.9, (ratios, groups), NaN where that takes
        more than there are; ``median``, the same for all neurons, (ratios,); ``found``, (ratios,), the share of neurons
        that is there in time; ``expected``, (ratios,), labels by the mean flow from the limit of the component, NaN
        where it never is there or starts at chance; ``extra``, (ratios,), how many labels more it takes if the inputs
        of the component are labelled ones: these choose the sign as well, so that each is paid once.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: unlabelled_pretraining.
    """
    task, generator = spiked_neuron(link, d, strength, cosine, noise), generator_for(seed, "savings", link, d)
    sizes = list_of("ratios", list(ratios), lambda name, value: real_number(name, value, least=0))
    each = whole_number("groups", groups) * whole_number("replicas", replicas)
    spent = [_sign_labels(task) if ratio else 0 for ratio in sizes]
    starts = torch.cat([_start(task, ratio, each, generator, device) for ratio in sizes])
    rates = torch.full((len(starts),), real_number("step", step, above=0) / d, dtype=torch.float64, device=device)
    budget = round(real_number("labels", labels, above=SIGN_LABELS) * d)
    steps = spiked_hits(task, starts, rates, budget, generator, level=LEVEL).reshape(len(sizes), groups, replicas)
    needed = steps / d + torch.tensor(spent, dtype=torch.float64, device=device)[:, None, None]
    found = (needed <= labels).double().mean((1, 2))
    return {
        "needed": _within(_medians(needed), labels),
        "median": _within(_medians(needed.flatten(1)), labels),
        "found": _array(found),
        "expected": np.array([_expected(task, ratio, step, device) for ratio in sizes]),
        "extra": np.array([max(ratio - sign, 0.0) for ratio, sign in zip(sizes, spent, strict=True)]),
    }


def component_cell(
    d: int, ratio: float, strength: float, replicas: int, *, device: str = "cpu", seed: int
) -> dict[str, float]:
    """Draw first principal components of ratio * d inputs and hold their overlap with the spike against the limit.

    Returns:
        ``measured``, the median over replicas of |<mu^, mu>|, and ``predicted``, its limit as d grows.

    Raises:
        BadParameter: if a parameter is out of range.
    """
    n = round(real_number("ratio", ratio, above=0) * whole_number("d", d, least=4))
    found = component_overlaps(d, n, strength, replicas, generator_for(seed, "component", d, n)).to(device)
    return {"measured": float(found.median()), "predicted": math.sqrt(predicted_spike_overlap(strength, ratio))}


def price_cell(
    link: str,
    strength: float,
    cosine: float,
    unlabelled: float,
    steps: Sequence[float],
    times: Sequence[float],
    *,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray]:
    """Follow the mean flow from the limit of a component; nothing is drawn, and d does not matter.

    Args:
        link: text of the link.
        strength: theta, of the spike.
        cosine: of the angle between spike and direction.
        unlabelled: inputs of the component in units of d.
        steps: step sizes in units of 1 / d.
        times: of the gradient flow that is kept.
        device: where starts lie and results come from.
        seed: not used.

    Returns:
        ``expected``, labels in units of d until the overlap is 0.9, by step size, inf where it never is, (steps,);
        ``overlaps`` with u and ``spikes``, overlaps with the spike, along the gradient flow, (times,).

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: unlabelled_pretraining.
    """
    task = spiked_neuron(link, 4, strength, cosine)
    start = _limit(task, unlabelled, device)
    flow = flow_paths(task, start, times)[:, 0]
    labels = [float(flow_labels(task, start, size, level=LEVEL, horizon=HORIZON)) for size in steps]
    return {
        "expected": np.array(labels) + _sign_labels(task),
        "overlaps": _array(state_overlaps(task, flow)),
        "spikes": _array(flow[:, 0]),
    }


def _start(task: SpikedNeuron, ratio: float, replicas: int, generator: torch.Generator, device: str) -> torch.Tensor:
    if ratio:
        return _component(task, ratio, replicas, generator, device)
    return told_signs(task, random_starts(task, replicas, generator).to(device))


def _component(
    task: SpikedNeuron, ratio: float, replicas: int, generator: torch.Generator, device: str
) -> torch.Tensor:
    """Draw components of ratio * d inputs, with a sign that is chosen by labels where it matters."""
    starts = component_starts(task, max(2, round(ratio * task.dim)), replicas, generator).to(device)
    if task.is_even:
        return starts
    return signed_by_labels(task, starts, SIGN_LABELS * task.dim, generator)


def _limit(task: SpikedNeuron, ratio: float, device: str) -> torch.Tensor:
    """Return the state of a component as d grows."""
    along = math.sqrt(predicted_spike_overlap(task.strength, ratio))
    return torch.tensor([[along, 0.0]], dtype=torch.float64, device=device)


def _expected(task: SpikedNeuron, ratio: float, step: float, device: str) -> float:
    """Return labels in units of d by the mean flow, NaN where it never arrives or there is nothing to start from."""
    if not ratio or not predicted_spike_overlap(task.strength, ratio):
        return math.nan
    labels = float(flow_labels(task, _limit(task, ratio, device), step, level=LEVEL, horizon=HORIZON))
    return labels + _sign_labels(task) if math.isfinite(labels) else math.nan


def _sign_labels(task: SpikedNeuron) -> int:
    return 0 if task.is_even else SIGN_LABELS


def _medians(values: torch.Tensor) -> np.ndarray:
    """Return medians over the last dimension, the upper of two, so that half or more are at or below it."""
    return _array(values.quantile(0.5, -1, interpolation="higher"))


def _array(values: torch.Tensor) -> np.ndarray:
    return values.cpu().numpy()


def _within(values: np.ndarray, most: float) -> np.ndarray:
    """Return values with NaN for those that are infinite or above a budget."""
    return np.where(np.isfinite(values) & (values <= most), values, np.nan)
