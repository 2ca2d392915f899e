"""Heads for several targets on the same frozen neurons and the same inputs: what does not hang on labels is shared.

A head of ``fit_head`` for each target and each sample size would decompose the same Gram matrix again and again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from beyond_kernel.checks import BadParameter, list_of, matrix, whole_number
from beyond_kernel.foundations.learning.heads import SCALES
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork
from beyond_kernel.foundations.learning.ridge import LEVELS


@dataclass(frozen=True)
class SharedFit:
    """Ridge regression of several label columns on the same features.

    Attributes:
        coefficients: of shape (m, k), one column for each of the k targets.
        losses: least mean squared left-out error of each target, of shape (k,).
    """

    coefficients: torch.Tensor
    losses: torch.Tensor


def fit_shared_ridge(features: torch.Tensor, Y: torch.Tensor, levels: Sequence[float] = LEVELS) -> SharedFit:
    """Fit every column of Y by ridge regression, each with its own penalty of least leave-one-out error.

    Column by column it is ``fit_ridge``; the eigenvectors of the features are found once, in double precision, as the
    smallest penalties are below the rounding of a Gram matrix in single precision, and would be chosen by it.

    Args:
        features: of shape (n, m).
        Y: labels of k targets at the same points, of shape (n, k).
        levels: penalties relative to the mean squared norm of a row of ``features``.

    Raises:
        BadParameter: if shapes do not fit.

    Source: Allen 1974 for the closed form of the left-out errors. Chapter: frozen_representation.
    """
    n, m = matrix("features", features).shape
    if len(matrix("Y", Y)) != n:
        raise BadParameter(f"Y has {len(Y)} rows: it must have {n}, one for each row of features.")
    kind, features, Y = features.dtype, features.double(), Y.to(features).double()
    penalties = n * features.new_tensor(levels) * features.square().sum(1).mean()
    if n < m:
        values, vectors = torch.linalg.eigh(features @ features.T)
        inverses = 1 / (values.clamp(min=0)[:, None] + penalties)  # (n, levels)
        paths = _path(vectors, inverses, vectors.T @ Y)
        errors = paths / (vectors.square() @ inverses)[:, :, None]
    else:
        values, vectors = torch.linalg.eigh(features.T @ features)
        inverses, rotated = 1 / (values.clamp(min=0)[:, None] + penalties), features @ vectors
        kept = 1 - rotated.square() @ inverses  # one less the leverage of each sample
        misses = Y[:, None] - _path(rotated, inverses, rotated.T @ Y)
        errors = misses / kept.clamp(min=torch.finfo(kept.dtype).eps)[:, :, None]
        paths = _path(vectors, inverses, rotated.T @ Y)
    least, which = errors.square().mean(0).min(0)
    chosen = paths[:, which, torch.arange(Y.shape[1], device=which.device)]
    return SharedFit((features.T @ chosen if n < m else chosen).to(kind), least)


def _path(vectors: torch.Tensor, inverses: torch.Tensor, rotated: torch.Tensor) -> torch.Tensor:
    """Return vectors diag(inverses) rotated for every penalty, of shape (rows, levels, k), as one product."""
    weighted = inverses[:, :, None] * rotated[:, None]
    return (vectors @ weighted.flatten(1)).view(len(vectors), *weighted.shape[1:])


@dataclass(frozen=True)
class FrozenFeatures:
    """Frozen neurons at several lengths of the first layer, with their features at the points on which all are scored.

    Attributes:
        networks: one for each length.
        at_test: features of each of them at the test points.
    """

    networks: tuple[TwoLayerNetwork, ...]
    at_test: tuple[torch.Tensor, ...]


def frozen_features(network: TwoLayerNetwork, X: torch.Tensor, scales: Sequence[float] = SCALES) -> FrozenFeatures:
    """Return the neurons at each scale, with their features at the test points.

    Args:
        network: frozen neurons; its head is not used.
        X: test points, of shape (n, d).
        scales: by which the first layer is multiplied, above 0.

    Chapter: frozen_representation.
    """
    networks = tuple(replace(network, W=scale * network.W) for scale in scales)
    return FrozenFeatures(networks, tuple(scaled.features(X) for scaled in networks))


def nested_risks(
    frozen: FrozenFeatures, X: torch.Tensor, Y: torch.Tensor, truths: torch.Tensor, sizes: Sequence[int]
) -> torch.Tensor:
    """Return the mean squared error of new heads for k targets, fitted on the first N rows of a sample for every N.

    Each head chooses scale and penalty by leave-one-out on its N labels, as ``fit_head`` does.

    Args:
        frozen: from ``frozen_features``.
        X: training inputs, of shape (n, d).
        Y: their labels for each target, of shape (n, k).
        truths: noise-free values at the test points, of shape (n_test, k).
        sizes: numbers N of labels, each at most n.

    Returns:
        Errors of shape (k, len(sizes)).

    Raises:
        BadParameter: if a size is out of range; as ``fit_shared_ridge``.

    Chapter: frozen_representation.
    """
    matrix("truths", truths, matrix("Y", Y).shape[1])
    list_of("sizes", sizes, lambda name, value: whole_number(name, value, most=len(matrix("X", X))))
    features = [network.features(X) for network in frozen.networks]
    fits = [[fit_shared_ridge(at_train[:size], Y[:size]) for at_train in features] for size in sizes]
    best = torch.stack([torch.stack([fit.losses for fit in row]).argmin(0) for row in fits])  # (sizes, k)
    errors = X.new_empty(Y.shape[1], len(sizes))
    for scale, at_test in enumerate(frozen.at_test):
        columns, heads = torch.nonzero(best == scale, as_tuple=True)
        if not len(heads):
            continue
        pairs = zip(columns.tolist(), heads.tolist(), strict=True)
        chosen = torch.stack([fits[column][scale].coefficients[:, head] for column, head in pairs], 1)
        errors[heads, columns] = (at_test @ chosen - truths[:, heads]).square().mean(0)
    return errors
