"""Experiments of chapter frozen_representation on its failures: a turned, a lopsided, a small, a blind source."""

import functools
from collections.abc import Sequence

import numpy as np
import torch

from beyond_kernel.checks import list_of, one_of, real_number, whole_number
from beyond_kernel.escaping_the_kernel.recursive_features import fit_recursive_features
from beyond_kernel.feature_learning.one_step import fit_one_step
from beyond_kernel.foundations.learning.learners import Learner, label_of, risk_of
from beyond_kernel.foundations.learning.measures import energy_per_direction
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork
from beyond_kernel.foundations.learning.samples import Problem, Sample, draw_matched_sample
from beyond_kernel.foundations.targets.target import Target, parse_target
from beyond_kernel.kernel_regime.kernel_learners import fit_gaussian_kernel, fit_random_features
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.frozen_representation import fit_transferred, pretrain
from beyond_kernel.transfer.turned_source import learnt_shares, turned_floor, turned_target

SOURCELESS = (fit_random_features, fit_one_step, fit_gaussian_kernel, fit_recursive_features)
"""The learners that see no source, and to which no angle matters."""


def turned_cell(
    source: str,
    target: str,
    d: int,
    angles: Sequence[float],
    sizes: Sequence[int],
    repeats: int,
    turned: str,
    source_ratio: float,
    width: int,
    noise: float,
    *,
    n_test: int = 4000,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray]:
    """Return the risk of transfer to a target whose directions lie at an angle to the source's, over angles and N.

    One first layer serves all angles. Labels and hidden coordinates of the target are the same draws at every angle,
    so that only what the first layer sees of them changes.

    Args:
        source, target: texts of the two tasks.
        d: input dimension.
        angles: in degrees, from 0 to 90.
        sizes: target samples N.
        repeats: independent training samples averaged over for each N.
        turned: "one" for the direction of the target's last variable, "all" for those of all its variables.
        source_ratio: source samples in units of d^2.
        width: number of neurons, even.
        noise: standard deviation of the label noise in both tasks.
        n_test, device, seed: points on which the risk is measured; where everything lies; of everything drawn.

    Returns:
        ``risk`` (A, S) of transfer, ``random`` (S,) of random features of the same width on the samples of the last
        angle, both means over repeats; ``floor`` and ``outer`` (A,), what neurons within the source's directions leave
        and what is left with one factor outside of them, see ``turned_floor``; ``overlap``, the share of the first
        layer's energy in the source's directions.

    Raises:
        BadParameter: if an argument is out of range.

    Chapter: frozen_representation.
    """
    list_of("angles", list(angles), lambda name, value: real_number(name, value, least=0, most=90))
    teacher = parse_target(source, d, seed).normalised()
    network = _first_layer(teacher, source_ratio, width, noise, seed, device)
    truths = [turned_target(teacher, target, angle, turned) for angle in angles]
    risks_of = functools.partial(
        _risks, sizes=sizes, repeats=repeats, noise=noise, n_test=n_test, device=device, seed=seed
    )
    transferred = functools.partial(fit_transferred, network=network)
    risks = {
        "risk": np.array([risks_of(transferred, truth) for truth in truths]),
        "random": risks_of(functools.partial(fit_random_features, width=width), truths[-1]),
    }
    for name, outside in (("floor", 0), ("outer", 1)):
        risks[name] = np.array([turned_floor(truths[0], angle, turned, outside) for angle in angles])
    return risks | {"overlap": float(_energies(network, teacher.directions).sum())}


def sourceless_cell(
    target: str,
    d: int,
    learner: str,
    sizes: Sequence[int],
    repeats: int,
    width: int,
    noise: float,
    *,
    n_test: int = 4000,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray]:
    """Return the risk of a learner without a source on the samples that ``turned_cell`` has at the angle 0.

    Args:
        target, d, sizes, repeats, width, noise, n_test, device, seed: as in ``turned_cell``.
        learner: label of one of ``SOURCELESS``.

    Returns:
        ``risk``, of shape (S,), means over repeats.

    Raises:
        BadParameter: if an argument is out of range.

    Chapter: frozen_representation.
    """
    wide = {label_of(fit): functools.partial(fit, width=width) for fit in SOURCELESS[:2]}
    fits = wide | {label_of(fit): fit for fit in SOURCELESS[2:]}
    truth = parse_target(target, d, seed).normalised()
    fit = fits[one_of("learner", learner, list(fits))]
    return {"risk": _risks(fit, truth, sizes, repeats, noise=noise, n_test=n_test, device=device, seed=seed)}


def source_cell(
    source: str,
    target: str,
    d: int,
    ratios: Sequence[float],
    sizes: Sequence[int],
    repeats: int,
    width: int,
    noise: float,
    *,
    n_test: int = 4000,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray]:
    """Return what first layers of ever more source samples hold of a target's directions, and the risk they leave.

    Args:
        source, target, d, sizes, repeats, width, noise, n_test, device, seed: as in ``turned_cell``.
        ratios: source samples in units of d^2.

    Returns:
        ``risk`` (R, S), means over repeats; ``energy`` (R, r), the mean share of a neuron's energy along each of the
        target's r directions; ``limit`` (r,), that share after infinitely many source samples, NaN where the source's
        expected Hessian is 0.

    Raises:
        BadParameter: if an argument is out of range.

    Chapter: frozen_representation.
    """
    list_of("ratios", list(ratios), lambda name, value: real_number(name, value, above=0))
    teacher, truth = (parse_target(text, d, seed).normalised() for text in (source, target))
    layers = [_first_layer(teacher, ratio, width, noise, seed, device) for ratio in ratios]
    fits = [functools.partial(fit_transferred, network=layer) for layer in layers]
    risks = [_risks(fit, truth, sizes, repeats, noise=noise, n_test=n_test, device=device, seed=seed) for fit in fits]
    seen = teacher.hessian_rank() > 0
    limit = learnt_shares(teacher, truth.directions).numpy() if seen else np.full(truth.rank, np.nan)
    return {
        "risk": np.array(risks),
        "energy": np.array([_energies(layer, truth.directions) for layer in layers]),
        "limit": limit,
    }


def _first_layer(source: Target, ratio: float, width: int, noise: float, seed: int, device: str) -> TwoLayerNetwork:
    """Return the first layer from ratio d^2 samples of the source, one at least."""
    n = max(1, round(real_number("source_ratio", ratio, above=0) * source.dim**2))
    return pretrain(source, n, width, noise, seed, device=device)


def _energies(network: TwoLayerNetwork, directions: torch.Tensor) -> np.ndarray:
    return energy_per_direction(network.W, directions.to(network.W)).cpu().numpy()


def _risks(
    fit: Learner,
    truth: Target,
    sizes: Sequence[int],
    repeats: int,
    *,
    noise: float,
    n_test: int,
    device: str,
    seed: int,
) -> np.ndarray:
    """Return mean risks over repeats for each N; labels and hidden coordinates do not depend on d or on the frame."""

    def draw(n: int, role: str) -> Sample:
        latent, rest = generator_for(seed, role, n, "latent"), generator_for(seed, role, n, truth.dim, "rest")
        return draw_matched_sample(truth, n, noise, latent, rest, device)

    list_of("sizes", list(sizes), whole_number)
    whole_number("repeats", repeats)
    test = draw(n_test, "test")
    means = []
    for size in sizes:
        problems = [Problem(draw(size, f"train {repeat}"), test, truth) for repeat in range(repeats)]
        streams = [generator_for(seed, "weights", repeat) for repeat in range(repeats)]
        means.append(np.mean([risk_of(fit, *pair).value for pair in zip(problems, streams, strict=True)]))
    return np.array(means)
