"""A new head on frozen neurons, by ridge regression; scale and penalty are chosen by leave-one-out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from beyond_kernel.checks import list_of, real_number
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork
from beyond_kernel.foundations.learning.ridge import RidgeFit, fit_ridge
from beyond_kernel.foundations.learning.samples import Sample

SCALES = (0.5, 1.0, 2.0)
"""Lengths of the inputs against biases of size one, among which every learner chooses, as it does among penalties."""


@dataclass(frozen=True)
class HeadPredictor:
    """The function x -> offset(x) + a . relu(W x + b).

    Attributes:
        network: frozen neurons, at the chosen scale, with the fitted head.
        fit: the ridge path behind the head.
        offset: what was taken off the labels before the fit; None for nothing.
        scale: by which the first layer was multiplied.
    """

    network: TwoLayerNetwork
    fit: RidgeFit
    offset: Callable[[torch.Tensor], torch.Tensor] | None = None
    scale: float = 1.0

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return predictions of shape (n,)."""
        values = self.network(X)
        return values if self.offset is None else self.offset(X) + values


def fit_head(
    train: Sample,
    network: TwoLayerNetwork,
    offset: Callable[[torch.Tensor], torch.Tensor] | None = None,
    scales: Sequence[float] = SCALES,
) -> HeadPredictor:
    """Fit the head of a network by ridge regression on relu(scale W x + b), scale and penalty by leave-one-out.

    Args:
        train: labelled points.
        network: its directions and biases stay as they are; its head is not used.
        offset: a function taken off the labels before the fit and added to predictions; None for nothing.
        scales: candidates by which the whole first layer is multiplied; (1,) keeps it.

    Raises:
        BadParameter: if there is no scale or one is not above 0; as ``fit_ridge``.

    Source: Damian, Lee, Soltanolkotabi 2022, Algorithm 1, lines 7 to 9, where gradient descent with weight decay
    converges to this minimiser; there a scale is a step size. Chapters: one_step, frozen_representation.
    """
    list_of("scales", scales, lambda name, value: real_number(name, value, above=0))
    labels = train.y if offset is None else train.y - offset(train.X)
    fits = []
    for scale in scales:
        scaled = replace(network, W=scale * network.W)
        fit = fit_ridge(scaled.features(train.X), labels)
        fits.append(HeadPredictor(replace(scaled, a=fit.coefficients), fit, offset, scale))
    return min(fits, key=lambda predictor: predictor.fit.loss)
