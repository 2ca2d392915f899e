"""The experiments of chapter tangent_kernel: drawn networks, features and Gram matrices beside their limits."""

from collections.abc import Sequence

import numpy as np
import torch

from beyond_kernel.checks import list_of, one_of, whole_number
from beyond_kernel.foundations.inputs.laws import gaussian, sample_inputs, sphere
from beyond_kernel.kernel_regime.activations import AnyActivation
from beyond_kernel.kernel_regime.dual_kernels import dual_random_feature_kernel, dual_tangent_kernel
from beyond_kernel.kernel_regime.empirical_kernel import empirical_tangent_kernel
from beyond_kernel.kernel_regime.sketch import (
    direction_features,
    draw_tensor_sketch,
    gradient_features,
    sketched_features,
    tensor_sketch_variance,
    values_and_slopes,
)
from beyond_kernel.kernel_regime.staircase import DUALS
from beyond_kernel.random_streams import generator_for

METHODS = ("all gradients", "one direction", "sketch")
"""The kinds of features that ``sketch_cell`` compares, in its order."""


def kernel_width_cell(
    d: int,
    widths: Sequence[int],
    *,
    n: int = 100,
    activation: AnyActivation = "relu",
    repeats: int = 4,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray]:
    """Return the relative error of the tangent kernels of random networks against the kernel at infinite width.

    Inputs are on the sphere, w_j ~ N(0, I_d / d) and a_j = +-1; the error is the Frobenius norm of the difference of
    the (n, n) Gram matrices over that of the limit.

    Args:
        d: dimension.
        widths: numbers of neurons m.
        n: number of inputs.
        activation: a name or an elementwise torch function.
        repeats: networks drawn for each width.
        device: where the kernels are computed.
        seed: of everything drawn.

    Returns:
        ``errors``: for each width the root mean square over its networks.

    Raises:
        BadParameter: if a parameter is out of range or the activation cannot be used.

    Chapter: tangent_kernel.
    """
    list_of("widths", widths, whole_number)
    X = sphere(n, d, generator_for(seed, "inputs", d)).to(device)
    limit = dual_tangent_kernel(X, activation=activation)
    squares = np.zeros((len(widths), whole_number("repeats", repeats)))
    for at in np.ndindex(squares.shape):
        W = gaussian(widths[at[0]], d, generator_for(seed, "neurons", *at)).to(X) / d**0.5
        gram = empirical_tangent_kernel(X, None, W, torch.ones(len(W), dtype=X.dtype, device=X.device), activation)
        squares[at] = float((gram - limit).square().sum() / limit.square().sum())
    return {"errors": np.sqrt(squares.mean(1))}


def sketch_cell(
    d: int,
    features: int,
    *,
    n: int = 200,
    activation: AnyActivation = "relu",
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray | float]:
    """Return the relative errors of three kinds of features for the tangent kernel, all with equally many features.

    The kernel is K_RF + K_first / d, the tangent kernel in the weights sqrt(d) w_j ~ N(0, I): both layers then weigh
    about the same, as in Han et al. Inputs are on the sphere, errors in Frobenius norm of the (n, n) Gram matrix.

    Args:
        d: dimension.
        features: F, spent on all gradients of F / (d + 1) neurons, or on F / 2 neurons and F / 2 numbers for the rest.
        n: number of inputs.
        activation: a name or an elementwise torch function.
        device: where the kernels are computed.
        seed: of everything drawn.

    Returns:
        ``errors`` of the whole kernel and ``first_layer`` of the part K_first alone, each for the three ``METHODS``;
        ``predicted``: the root mean square error of the sketch over its buckets and signs, for the neurons drawn.

    Raises:
        BadParameter: if a parameter is out of range, or features is below d + 1.

    Chapter: tangent_kernel.
    """
    whole_number("features", features, least=max(2, whole_number("d", d) + 1))
    X = sphere(whole_number("n", n), d, generator_for(seed, "inputs", d)).to(device)
    head = dual_random_feature_kernel(X, activation=activation)
    first = (dual_tangent_kernel(X, activation=activation) - head) / d
    few, many = (_neurons(width, d, seed).to(X) for width in (features // (d + 1), features // 2))
    directions = gaussian(len(many), d, generator_for(seed, "directions", features)).to(X)
    sketch = draw_tensor_sketch(len(many), d, features - len(many), generator_for(seed, "sketch", features))
    found = (
        _parts(gradient_features(X, few, activation), len(few), d),
        _parts(direction_features(X, many, directions, activation), len(many), d),
        _parts(sketched_features(X, many, sketch, activation), len(many), d),
    )
    values, slopes = values_and_slopes(X, many, activation)
    mean = values @ values.T + (slopes @ slopes.T) * (X @ X.T) / d
    square = (mean - head - first).square().sum() + tensor_sketch_variance(slopes, X, sketch.size).sum() / d**2
    return {
        "errors": np.array([float((one + two - head - first).norm() / (head + first).norm()) for one, two in found]),
        "first_layer": np.array([float((two - first).norm() / first.norm()) for _, two in found]),
        "predicted": float(square.sqrt() / (head + first).norm()),
    }


def staircase_cell(
    d: int,
    n: int,
    activation: AnyActivation,
    *,
    kernel: str = "tangent",
    law: str = "sphere",
    bias: float = 0.0,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray]:
    """Return the eigenvalues of Gram matrix / n, the largest first, for one sample of inputs.

    Args:
        d: dimension.
        n: number of samples.
        activation: a name or an elementwise torch function.
        kernel: "random features", "tangent" or "first layer".
        law: "sphere", "gaussian" or "hypercube".
        bias: standard deviation of the biases.
        device: where the eigenvalues are computed.
        seed: of the inputs.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: tangent_kernel.
    """
    gram_of = DUALS[one_of("kernel", kernel, tuple(DUALS))]
    X = sample_inputs(law, n, d, generator_for(seed, "staircase", d), device=device)
    gram = gram_of(X, None, bias, activation)
    return {"eigenvalues": torch.linalg.eigvalsh(gram).flip(0).cpu().numpy() / n}


def _neurons(width: int, d: int, seed: int) -> torch.Tensor:
    return gaussian(width, d, generator_for(seed, "neurons", width)) / d**0.5


def _parts(features: torch.Tensor, width: int, d: int) -> tuple[torch.Tensor, torch.Tensor]:
    head, first = features[:, :width], features[:, width:]
    return head @ head.T, first @ first.T / d
