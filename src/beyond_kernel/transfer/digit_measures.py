"""What is measured on outputs, one a class, and on metrics over the tiles of an input."""

import numpy as np
import torch

from beyond_kernel.checks import BadParameter, matrix, whole_number


def class_error(outputs: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the squared error of the outputs over that of the best constant, both summed over classes.

    Args:
        outputs: predictions, of shape (n, k).
        labels: zeros and ones, of shape (n, k), not all rows the same.

    Raises:
        BadParameter: if shapes do not fit, or all labels are the same.

    Chapter: real_digits.

    >>> class_error(torch.tensor([[1.0, 0.0], [0.5, 0.5]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    0.5
    """
    spread = float((_same(outputs, labels) - labels.mean(0)).square().sum())
    if not spread > 0:
        raise BadParameter("labels must not be all the same: no error can be given in their spread.")
    return float((outputs - labels).square().sum()) / spread


def accuracy(outputs: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the share of rows whose largest output is that of their class.

    Args:
        outputs: predictions, of shape (n, k).
        labels: zeros and ones, of shape (n, k).

    Raises:
        BadParameter: if shapes do not fit.

    Chapter: real_digits.

    >>> accuracy(torch.tensor([[0.9, 0.2], [0.6, 0.5]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    0.5
    """
    right = _same(outputs, labels).argmax(1)
    return float((outputs.argmax(1) == right).double().mean())


def class_contrast(X: torch.Tensor, labels: torch.Tensor) -> float:
    """Return how much farther apart two inputs of two classes are, in standard deviations.

    It is the difference of the mean squared distances, two classes less one class, over the standard deviation of the
    squared distance of inputs of two classes.

    Args:
        X: inputs, of shape (n, d).
        labels: zeros and ones, of shape (n, k), of two classes at least, two inputs of one class among them.

    Raises:
        BadParameter: if shapes do not fit.

    Chapter: real_digits.
    """
    if len(matrix("labels", labels)) != len(matrix("X", X)):
        raise BadParameter(f"labels has {len(labels)} rows: it must have {len(X)}, one for each input.")
    apart = torch.pdist(X).square()
    rows, columns = torch.triu_indices(len(X), len(X), 1, device=X.device)
    same = (labels[rows] * labels[columns]).sum(1) > 0.5
    return float((apart[~same].mean() - apart[same].mean()) / apart[~same].std())


def tile_shares(metric: torch.Tensor, tiles: int) -> np.ndarray:
    """Return the share of a metric's trace that lies on each tile, of shape (c,).

    Args:
        metric: symmetric positive semi-definite, of shape (d, d), of trace above 0.
        tiles: c, a divisor of d.

    Raises:
        BadParameter: if d is no multiple of c, or the trace is not above 0.

    Chapter: real_digits.

    >>> tile_shares(torch.diag(torch.tensor([3.0, 0.0, 1.0, 0.0])), 2).tolist()
    [0.75, 0.25]
    """
    diagonal = _diagonal(metric, tiles)
    return (diagonal.sum(1) / diagonal.sum()).cpu().numpy()


def tile_root(metric: torch.Tensor, tiles: int, power: float = 0.5) -> torch.Tensor:
    """Return W_t^power times the identity on each tile t, the root of what keeps of a metric only where it looks.

    W_t is the mean diagonal entry of the given metric on tile t. It needs to be told what the tiles are.

    Args:
        metric: symmetric positive semi-definite, of shape (d, d), of trace above 0.
        tiles: c, a divisor of d.
        power: 1/2 for a metric of the weights themselves, 1 for one of their squares.

    Returns:
        A diagonal matrix of shape (d, d).

    Raises:
        BadParameter: as ``tile_shares``.

    Source: our own; found after looking at other metrics, and here to explain. Chapter: real_digits.
    """
    means = _diagonal(metric, tiles).mean(1)
    return torch.diag((means**power).repeat_interleave(metric.shape[0] // tiles))


def root_of(metric: torch.Tensor, power: float = 0.5) -> torch.Tensor:
    """Return a power of a symmetric positive semi-definite matrix, scaled so that its square has the trace d.

    Args:
        metric: of shape (d, d), not 0.
        power: 1/2 for the root, 1/4 for the root of the root.

    Raises:
        BadParameter: if it is not square, or 0.

    Chapter: real_digits.
    """
    if matrix("metric", metric).shape[0] != metric.shape[1]:
        raise BadParameter(f"metric has shape {tuple(metric.shape)}: it must be square.")
    values, vectors = torch.linalg.eigh((metric + metric.T) / 2)
    values = values.clamp(min=0) ** power
    size = float(values.square().mean()) ** 0.5
    if not size > 0:
        raise BadParameter("metric must not be 0: it has no direction to look along.")
    return (vectors * (values / size)) @ vectors.T


def _diagonal(metric: torch.Tensor, tiles: int) -> torch.Tensor:
    """Return the diagonal of a metric, a row a tile."""
    d = matrix("metric", metric).shape[1]
    if metric.shape[0] != d or d % whole_number("tiles", tiles, most=d):
        raise BadParameter(f"metric has shape {tuple(metric.shape)}: it must be square and of {tiles} tiles.")
    diagonal = metric.diagonal().reshape(tiles, -1)
    if not float(diagonal.sum()) > 0:
        raise BadParameter("metric must have a trace above 0.")
    return diagonal


def _same(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    if matrix("labels", labels).shape != matrix("outputs", outputs).shape:
        given = f"{tuple(outputs.shape)} and labels {tuple(labels.shape)}"
        raise BadParameter(f"outputs has shape {given}: the two must have one shape.")
    return labels
