"""Algorithm 1 of Damian, Lee and Soltanolkotabi 2022: preprocess, one giant step, new biases, ridge on the head.

The four pieces are functions of their own, so that a chapter can leave one out and show what breaks.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from beyond_kernel.checks import BadParameter, matrix, real_number, vector
from beyond_kernel.foundations.learning.heads import SCALES, HeadPredictor, fit_head
from beyond_kernel.foundations.learning.learners import labelled
from beyond_kernel.foundations.learning.networks import BLOCK, TwoLayerNetwork, symmetric_init, with_new_biases
from beyond_kernel.foundations.learning.samples import Problem, Sample

STEP_SCALE = 1.0
"""Default c in the step size c sqrt(d); ``fit_one_step`` chooses among half, once and twice of it."""


@dataclass(frozen=True)
class LinearPart:
    """The function alpha + beta . x that preprocessing takes away and prediction adds again."""

    alpha: float
    beta: torch.Tensor

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        return self.alpha + X @ self.beta


def moment_linear_part(X: torch.Tensor, y: torch.Tensor) -> LinearPart:
    """Estimate the linear part by moments: alpha = mean of y, beta = mean of y x.

    Args:
        X: of shape (n, d).
        y: of shape (n,).

    Source: Damian, Lee, Soltanolkotabi 2022, Algorithm 1, lines 2 and 3. Chapter: one_step.

    >>> X = torch.tensor([[1.0], [-1.0]])
    >>> moment_linear_part(X, torch.tensor([5.0, 1.0]))(X).tolist()  # 3 + 2 x
    [5.0, 1.0]
    """
    vector("y", y, len(matrix("X", X)))
    return LinearPart(float(y.mean()), X.T @ y / len(y))


def least_squares_linear_part(X: torch.Tensor, y: torch.Tensor) -> LinearPart:
    """Estimate the linear part by least squares: for n well above d less noisy than moments when that part is large.

    Not in the paper; the residual does not change when a linear function is added to y. With n of at most d nothing is
    left for the step, and near n = d the estimate is noisier than moments. Chapter: one_step.
    """
    vector("y", y, len(matrix("X", X)))
    design = torch.cat([torch.ones_like(y)[:, None], X], 1)
    # not lstsq, which differs in the last bit from call to call; the pseudo-inverse serves n < d + 1 too, in float64
    solution = torch.linalg.pinv(design.T @ design, hermitian=True) @ (design.T @ y)
    return LinearPart(float(solution[0]), solution[1:])


def no_linear_part(X: torch.Tensor, y: torch.Tensor) -> LinearPart:
    """Leave the labels as they are: the ablation of preprocessing. Chapter: one_step."""
    vector("y", y, len(matrix("X", X)))
    return LinearPart(0.0, X.new_zeros(X.shape[1]))


def correlations(W: torch.Tensor, X: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return g_n(w_j) = (1/n) sum_i y_i x_i 1{w_j . x_i >= 0} for every neuron, in blocks of samples.

    Args:
        W: neurons, of shape (m, d).
        X: of shape (n, d).
        y: of shape (n,).

    Returns:
        Correlations, of shape (m, d).

    Source: Damian, Lee, Soltanolkotabi 2022, Section 5.1. Chapter: one_step.
    """
    matrix("W", W, matrix("X", X).shape[1])
    vector("y", y, len(X))
    total = torch.zeros_like(W)
    for inputs, labels in zip(X.split(BLOCK), y.split(BLOCK), strict=True):
        active = (inputs @ W.T >= 0).to(W.dtype)
        total += active.T @ (labels[:, None] * inputs)
    return total / len(y)


def loss_gradient(network: TwoLayerNetwork, X: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the gradient of (1/n) sum_i (f(x_i) - y_i)^2 in W at the symmetric start, where f and b are 0.

    There it is -2 a_j g_n(w_j), and the two halves of the network share g_n. The network's own method of this name
    works at any weights and returns a ``LossGradient``.

    Args:
        network: fresh from ``symmetric_init``.
        X: of shape (n, d).
        y: of shape (n,).

    Returns:
        The gradient, of shape (m, d).

    Raises:
        BadParameter: if the network is not at a symmetric start.

    Source: Damian, Lee, Soltanolkotabi 2022, Section 5.1. Chapter: one_step.
    """
    (W, twin), (a, opposite) = network.W.chunk(2), network.a.chunk(2)
    if network.b.any() or not torch.equal(W, twin) or not torch.equal(a, -opposite):
        raise BadParameter("network is not at a symmetric start: draw it with symmetric_init, with biases still 0.")
    half = correlations(W, X, y)
    return -2 * network.a[:, None] * torch.cat([half, half])


def giant_step(
    network: TwoLayerNetwork, X: torch.Tensor, y: torch.Tensor, step: float, weight_decay: float | None = None
) -> TwoLayerNetwork:
    """Move the first layer once: W <- W - step (gradient + weight_decay W).

    Args:
        network: fresh from ``symmetric_init``.
        X: of shape (n, d).
        y: preprocessed labels, of shape (n,).
        step: eta_1, above 0.
        weight_decay: lambda_1; 1 / step when left out, which erases the initial weights.

    Raises:
        BadParameter: if step is not above 0 or weight_decay is negative.

    Source: Damian, Lee, Soltanolkotabi 2022, Algorithm 1, line 5. Chapter: one_step.
    """
    real_number("step", step, above=0)
    gradient = loss_gradient(network, X, y)
    if weight_decay is None:
        return replace(network, W=-step * gradient)
    shrunk = (1 - step * real_number("weight_decay", weight_decay, least=0)) * network.W
    return replace(network, W=shrunk - step * gradient)


def same_biases(network: TwoLayerNetwork, generator: torch.Generator) -> TwoLayerNetwork:
    """Keep the biases at zero: the ablation of the redraw. Chapter: one_step."""
    return network


def one_step_features(
    sample: Sample,
    width: int,
    generator: torch.Generator,
    step_scale: float = STEP_SCALE,
    preprocess: Callable[[torch.Tensor, torch.Tensor], LinearPart] = moment_linear_part,
    biases: Callable[[TwoLayerNetwork, torch.Generator], TwoLayerNetwork] = with_new_biases,
) -> tuple[LinearPart, TwoLayerNetwork]:
    """Run the first half of Algorithm 1: preprocess, one step of size step_scale sqrt(d), new biases.

    Args:
        sample: labelled training points.
        width: m, even.
        generator: source of the initial weights and of the biases.
        step_scale: c in eta_1 = c sqrt(d).
        preprocess: estimates the linear part.
        biases: sets the biases after the step.

    Returns:
        The linear part, and the network whose head is still the initial one.

    Source: Damian, Lee, Soltanolkotabi 2022, Algorithm 1, lines 1 to 6. Chapter: one_step.
    """
    d = sample.X.shape[1]
    start = symmetric_init(width, d, generator, sample.X.dtype, sample.X.device)
    linear = preprocess(sample.X, sample.y)
    step = real_number("step_scale", step_scale, above=0) * math.sqrt(d)
    moved = giant_step(start, sample.X, sample.y - linear(sample.X), step)
    return linear, biases(moved, generator)


@labelled("one step")
def fit_one_step(
    problem: Problem, generator: torch.Generator, width: int, scales: Sequence[float] = SCALES
) -> HeadPredictor:
    """Run Algorithm 1: preprocess, one giant step, new biases, ridge regression on the head.

    Args:
        problem: its training sample, all of which serves both the step and the head.
        generator: source of the initial weights and of the biases.
        width: m, even.
        scales: candidates for c in eta_1 = c sqrt(d). With lambda_1 = 1 / eta_1 they differ in the length of the
            neurons alone, so one step serves them all.

    Raises:
        BadParameter: as ``one_step_features`` and ``fit_head``.

    Source: Damian, Lee, Soltanolkotabi 2022, Algorithm 1. Chapter: one_step.

    >>> from beyond_kernel.foundations.learning.samples import draw_problem
    >>> from beyond_kernel.foundations.targets.target import parse_target
    >>> problem = draw_problem(parse_target("h2(z1)", 6), n=600, noise=0.0, seed=0)
    >>> model = fit_one_step(problem, torch.Generator().manual_seed(0), width=200)
    >>> bool((model(problem.test.X) - problem.test.truth).square().mean() < 0.3)
    True
    """
    linear, network = one_step_features(problem.train, width, generator)
    return fit_head(problem.train, network, linear, scales)
