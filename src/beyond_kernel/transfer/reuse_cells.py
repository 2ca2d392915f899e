"""Experiments on frozen neurons with new heads: over source and target samples, and over dimensions for several heads.

All draws are in single precision, which costs nothing at risks far above rounding.
"""

from collections.abc import Sequence

import numpy as np
import torch

from beyond_kernel.checks import list_of, one_of, real_number, whole_number
from beyond_kernel.foundations.learning.measures import samples_to_reach, subspace_overlap
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork, random_network
from beyond_kernel.foundations.learning.samples import draw_matched_sample, noisy
from beyond_kernel.foundations.targets.target import Target, parse_target
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.shared_heads import frozen_features, nested_risks
from beyond_kernel.transfer.streamed_step import pretrain_streamed

ENOUGH = 0.6
"""Share of the threshold below which no larger N is run; a risk there does not rise above the threshold again."""
Points = tuple[torch.Tensor, torch.Tensor]
LAYERS = ("transferred", "oracle")
"""First layers that a head is fitted on, the source's or one that lies in the hidden subspace."""


def source_grid_cell(
    source: str,
    target: str,
    d: int,
    source_sizes: Sequence[int],
    sizes: Sequence[int],
    width: int,
    noise: float,
    *,
    n_test: int = 4000,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray]:
    """Return the risk of a new head for every number n of source samples and every number N of target samples.

    Target samples and test points are the same for every n, so that the curves can be compared pair by pair.

    Args:
        source: text of the source task.
        target: text of the target task.
        d: input dimension.
        source_sizes: numbers n of source samples.
        sizes: numbers N of target samples, ascending.
        width: number of neurons, even.
        noise: standard deviation of the label noise in both tasks.
        n_test: points on which the risk is measured.
        device: where everything lies.
        seed: of everything drawn.

    Returns:
        ``risk``, of shape (len(source_sizes), len(sizes)).

    Raises:
        BadParameter: if a parameter is out of range.

    Source: Damian, Lee, Soltanolkotabi 2022, Figure 2. Chapter: frozen_representation.
    """
    list_of("source_sizes", source_sizes, whole_number)
    first, tasks = _tasks(source, [target], d, seed)
    layers = [pretrain_streamed(first, n, width, noise, seed, device=device) for n in source_sizes]
    samples = _samples(tasks, max(sizes), 1, noise, n_test, seed, layers[0].W)
    return {"risk": np.stack([_risks(layer, samples, tasks, sizes)[0] for layer in layers])}


def head_needs_cell(
    source: str,
    heads: Sequence[str],
    d: int,
    layer: str,
    source_ratio: float,
    sizes: Sequence[int],
    repeats: int,
    width: int,
    noise: float,
    *,
    threshold: float = 0.25,
    n_test: int = 4000,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray | float]:
    """Return how many target samples new heads for several targets need on one and the same frozen first layer.

    Hidden coordinates and label noise are the same draws in every dimension, so that the luck of a draw drops out of
    the growth with d. Each target pays for its own N labels, by which scale and penalty are chosen too.

    Args:
        source: text of the source task.
        heads: texts of the target tasks, in the same directions.
        d: input dimension.
        layer: one of ``LAYERS``.
        source_ratio: source samples in units of d^2; not used by the oracle.
        sizes: target samples N, ascending.
        repeats: target samples averaged over for each N.
        width: number of neurons, even.
        noise: standard deviation of the label noise in all tasks.
        threshold: risk to be reached.
        n_test: points on which the risk is measured.
        device: where everything lies.
        seed: of everything drawn.

    Returns:
        ``needed``: N* for each target, NaN where the largest N does not get there; ``risk``, of shape (targets, N), NaN
        after all targets have come below ``ENOUGH`` times the threshold; ``overlap``: mean share of a neuron's squared
        length inside the hidden subspace; ``energy``: that share of all neurons together, where long ones count more.

    Raises:
        BadParameter: if a parameter is out of range.

    Source: Damian, Lee, Soltanolkotabi 2022, Theorem 3. Chapter: frozen_representation.
    """
    one_of("layer", layer, LAYERS)
    n = max(1, int(real_number("source_ratio", source_ratio, above=0) * whole_number("d", d) ** 2))
    first, tasks = _tasks(source, heads, d, seed)
    directions = first.directions.to(device, torch.float32)
    if layer == "oracle":
        network = random_network(width, directions, generator_for(seed, "oracle", width))
    else:
        network = pretrain_streamed(first, n, width, noise, seed, device=device)
    samples = _samples(tasks, max(sizes), whole_number("repeats", repeats), noise, n_test, seed, network.W)
    risks = _risks(network, samples, tasks, sizes, ENOUGH * real_number("threshold", threshold, above=0))
    needed = np.array([samples_to_reach(sizes, row, threshold) for row in risks])
    energy = float((network.W @ directions).square().sum() / network.W.square().sum())
    overlap = float(subspace_overlap(network.W, directions).mean())
    return {"needed": needed, "risk": risks, "overlap": overlap, "energy": energy}


def _tasks(source: str, heads: Sequence[str], d: int, seed: int) -> tuple[Target, list[Target]]:
    list_of("heads", heads, lambda name, value: parse_target(value, d))
    first, *rest = (parse_target(text, d, seed).normalised() for text in (source, *heads))
    return first, rest


def _samples(
    tasks: Sequence[Target], n: int, repeats: int, noise: float, n_test: int, seed: int, like: torch.Tensor
) -> tuple[Points, list[Points]]:
    """Return test points with values of all tasks, and training points with their labels, whatever the first layer."""
    widest = max(tasks, key=lambda task: task.frame.shape[1])

    def drawn(n: int, *role: str | int) -> Points:
        latent, rest = generator_for(seed, "heads", *role), generator_for(seed, "heads", *role, widest.dim)
        X = draw_matched_sample(widest, n, 0.0, latent, rest, like.device).X
        return X.to(like), torch.stack([task(X) for task in tasks], 1).to(like)

    train = []
    for repeat in range(repeats):
        X, values = drawn(n, "train", repeat)
        signs = noisy(torch.zeros_like(values[:, 0]), noise, generator_for(seed, "heads noise", repeat))
        train.append((X, values + signs[:, None]))
    return drawn(n_test, "test"), train


def _risks(
    network: TwoLayerNetwork,
    samples: tuple[Points, list[Points]],
    tasks: Sequence[Target],
    sizes: Sequence[int],
    enough: float = 0.0,
) -> np.ndarray:
    """Return risks of shape (tasks, sizes), means over training samples; NaN after all tasks have come below enough."""
    (X, truths), train = samples
    frozen, variances = frozen_features(network, X), np.array([task.variance for task in tasks])
    risks = np.full((len(tasks), len(sizes)), np.nan)
    for column, size in enumerate(sizes):
        errors = [nested_risks(frozen, X[:size], Y[:size], truths, [size])[:, 0] for X, Y in train]
        risks[:, column] = torch.stack(errors).double().mean(0).cpu().numpy() / variances
        if (risks[:, column] < enough).all():
            break
    return risks
