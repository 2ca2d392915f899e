"""A new head on frozen neurons, by ridge regression with the penalty chosen on the validation sample."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from beyond_kernel.foundations.learning.networks import TwoLayerNetwork
from beyond_kernel.foundations.learning.ridge import RidgeFit, fit_ridge
from beyond_kernel.foundations.learning.samples import Problem


@dataclass(frozen=True)
class HeadPredictor:
    """The function x -> offset(x) + a . relu(W x + b).

    Attributes:
        network: frozen neurons with the fitted head.
        fit: the ridge path behind the head.
        offset: what was taken off the labels before the fit; None for nothing.
    """

    network: TwoLayerNetwork
    fit: RidgeFit
    offset: Callable[[torch.Tensor], torch.Tensor] | None = None

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return predictions of shape (n,)."""
        values = self.network(X)
        return values if self.offset is None else self.offset(X) + values


def fit_head(
    problem: Problem, network: TwoLayerNetwork, offset: Callable[[torch.Tensor], torch.Tensor] | None = None
) -> HeadPredictor:
    """Fit the head of a network by ridge regression; first layer and biases stay as they are.

    Args:
        problem: train and validation samples.
        network: its head is not used.
        offset: a function taken off the labels before the fit and added to predictions; None for nothing.

    Raises:
        BadParameter: as ``fit_ridge``.

    Source: Damian, Lee, Soltanolkotabi 2022, Algorithm 1, lines 7 to 9, where gradient descent with weight decay
    converges to this minimiser. Chapters: one_step, frozen_representation.
    """
    train, validation = problem.train, problem.validation
    labels, held_out = train.y, validation.y
    if offset is not None:
        labels, held_out = labels - offset(train.X), held_out - offset(validation.X)
    fit = fit_ridge(network.features(train.X), labels, network.features(validation.X), held_out)
    return HeadPredictor(replace(network, a=fit.coefficients), fit, offset)
