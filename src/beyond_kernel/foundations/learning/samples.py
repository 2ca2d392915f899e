"""Labelled samples of a target, and the three of them that every comparison needs: train, validation, test."""

from dataclasses import dataclass

import torch

from beyond_kernel.foundations.inputs.laws import gaussian, sample_inputs
from beyond_kernel.foundations.targets.target import Target
from beyond_kernel.random_streams import generator_for


@dataclass(frozen=True)
class Sample:
    """Inputs X (n, d), noisy labels y (n,) and the noise-free values truth (n,)."""

    X: torch.Tensor
    y: torch.Tensor
    truth: torch.Tensor

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Problem:
    """Three independent samples: the penalty is chosen on ``validation`` and the risk is read from ``test``."""

    train: Sample
    validation: Sample
    test: Sample


def draw_sample(target: Target, n: int, noise: float, generator: torch.Generator, law: str = "gaussian") -> Sample:
    """Draw n labelled points: y = f*(x) + noise * (+1 or -1), each sign with probability 1/2.

    Args:
        target: f*.
        n: number of points.
        noise: standard deviation of the label noise.
        generator: source of inputs and noise.
        law: "gaussian", "sphere" or "hypercube".

    Raises:
        BadParameter: if n is below 1, noise is negative or the law is unknown.

    Source: Damian, Lee, Soltanolkotabi 2022, Section 2.1, for the label noise.
    """
    X = sample_inputs(law, n, target.dim, generator)
    return Sample(X, target.labels(X, noise, generator), target(X))


def draw_matched_sample(target: Target, n: int, noise: float, latent: torch.Generator, rest: torch.Generator) -> Sample:
    """Draw n Gaussian points whose hidden coordinates z and label noise come from a stream of their own.

    With the same ``latent`` stream two dimensions d see the same z and the same labels, and differ only in the
    coordinates that do not matter: common random numbers, which take the luck of the draw out of a comparison over d.

    Args:
        target: f*.
        n: number of points.
        noise: standard deviation of the label noise.
        latent: source of z and of the label noise.
        rest: source of the other coordinates.

    Raises:
        BadParameter: if n is below 1 or noise is negative.

    Chapter: frozen_representation.
    """
    frame = target.frame
    Z = gaussian(n, frame.shape[1], latent)
    X = gaussian(n, target.dim, rest)
    X = X + (Z - X @ frame) @ frame.T
    return Sample(X, target.labels(X, noise, latent), target(X))


def draw_problem(
    target: Target,
    n: int,
    noise: float,
    seed: int,
    law: str = "gaussian",
    n_validation: int = 2000,
    n_test: int = 4000,
) -> Problem:
    """Draw train, validation and test samples from three independent streams of one seed.

    Args:
        target: f*.
        n: number of training points.
        noise: standard deviation of the label noise, in training and validation labels.
        seed: the streams depend on it, on n and on d alone.
        law: "gaussian", "sphere" or "hypercube".
        n_validation: points on which penalties are chosen.
        n_test: points on which risks are measured.

    Raises:
        BadParameter: as ``draw_sample``.
    """
    sizes = {"train": n, "validation": n_validation, "test": n_test}
    samples = {
        role: draw_sample(target, size, noise, generator_for(seed, role, n, target.dim), law)
        for role, size in sizes.items()
    }
    return Problem(**samples)
