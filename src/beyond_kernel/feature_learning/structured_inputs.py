"""Three ways to the direction of a single index whose inputs have a spike: a gradient, the inputs alone, being told.

All learners of this module end in the same head, ridge regression on ReLU neurons whose pre-activations have mean
square one on the training sample. They differ in the directions of the neurons alone.
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from beyond_kernel.checks import BadParameter, matrix, real_number, vector
from beyond_kernel.feature_learning.one_step import correlations
from beyond_kernel.foundations.inputs.spiked_inputs import first_component
from beyond_kernel.foundations.learning.heads import SCALES, HeadPredictor, fit_head
from beyond_kernel.foundations.learning.kernel_ridge import KernelPredictor, tuned_kernel_ridge
from beyond_kernel.foundations.learning.learners import labelled
from beyond_kernel.foundations.learning.measures import samples_to_reach
from beyond_kernel.foundations.learning.networks import TwoLayerNetwork, random_network, with_new_biases
from beyond_kernel.foundations.learning.ridge import LEVELS, fit_ridge
from beyond_kernel.foundations.learning.samples import Problem


def unit_variance(W: torch.Tensor, X: torch.Tensor) -> torch.Tensor:
    """Return the rows of W, each scaled so that the mean over the sample of <w, x_i>^2 is one; zero rows stay zero.

    Args:
        W: directions, one a row, of shape (m, d).
        X: inputs, of shape (n, d).

    Raises:
        BadParameter: if shapes do not fit.

    Source: a normalisation by the covariance, as Mousavi-Hosseini, Wu, Suzuki and Erdogdu (2023) advise; there on the
    way of SGD, here once, behind a step. Chapter: structured_inputs.

    >>> unit_variance(torch.tensor([[2.0, 0.0]]), torch.tensor([[3.0, 1.0], [-3.0, 1.0]])).tolist()
    [[0.3333333432674408, 0.0]]
    """
    sizes = (matrix("X", X) @ matrix("W", W, X.shape[1]).T).square().mean(0).sqrt()
    return W / torch.where(sizes > 0, sizes, torch.ones_like(sizes))[:, None]


def gradient_directions(start: TwoLayerNetwork, X: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return g_j = (1/n) sum_i (y_i - mean y) x_i 1{<w_j, x_i> + b_j > 0}, minus the first gradient over 2 a_j.

    It is the gradient in w_j of the squared loss of a network whose output is the mean label at its start.

    Args:
        start: neurons and biases; the head is not used.
        X: inputs, of shape (n, d).
        y: labels, of shape (n,).

    Returns:
        One direction a neuron, of shape (m, d).

    Raises:
        BadParameter: if shapes do not fit.

    Chapter: structured_inputs.
    """
    matrix("X", X, start.W.shape[1])
    vector("y", y, len(X))
    with_bias = torch.cat([start.W, start.b[:, None]], 1)
    return correlations(with_bias, torch.cat([X, torch.ones_like(y)[:, None]], 1), y - y.mean())[:, :-1]


def drawn_start(width: int, X: torch.Tensor, generator: torch.Generator) -> TwoLayerNetwork:
    """Draw neurons of uniform direction and unit variance on the sample, with biases from N(0, 1) and no head.

    Args:
        width: number of neurons.
        X: inputs, of shape (n, d), whose dtype and device the network takes.
        generator: source of directions and biases.

    Raises:
        BadParameter: if width is below 1 or X is no matrix.

    Chapter: structured_inputs.
    """
    whole = torch.eye(matrix("X", X).shape[1], dtype=X.dtype, device=X.device)
    return _within(whole, width, X, generator)


@labelled("one step, normalised")
def fit_normalised_step(
    problem: Problem, generator: torch.Generator, width: int, scales: Sequence[float] = SCALES
) -> HeadPredictor:
    """Take the first gradient of each neuron for its direction, scale it to unit variance, draw biases, fit the head.

    The step is so long that nothing of the start is left. Labels are not preprocessed, as the linear part of a link of
    information exponent one is what shows the direction. All n labels serve both the gradient and the head.

    Args:
        problem: its training sample.
        generator: source of the start and of the new biases.
        width: m, number of neurons.
        scales: as in ``fit_head``.

    Raises:
        BadParameter: if width is below 1; as ``fit_head``.

    Source: one gradient step and a ridge head, the pattern of Damian, Lee and Soltanolkotabi (2022), Algorithm 1,
    with normalised neurons; the details are our own. Chapter: structured_inputs.
    """
    X, y = problem.train.X, problem.train.y
    start = drawn_start(width, X, generator)
    moved = replace(start, W=unit_variance(gradient_directions(start, X, y), X))
    return fit_head(problem.train, with_new_biases(moved, generator), scales=scales)


def fit_halves(
    problem: Problem, generator: torch.Generator, width: int, levels: tuple[float, ...] = LEVELS
) -> HeadPredictor:
    """Take the step on the first half of the samples and fit the head on the second, whose labels it has not seen.

    Args:
        problem: its training sample, of at least two points.
        generator: source of the start and of the new biases.
        width: m, number of neurons.
        levels: candidates for the penalty of the head, as in ``fit_ridge``; a single tiny one is no penalty at all.

    Raises:
        BadParameter: if width is below 1 or there are fewer than two samples; as ``fit_ridge``.

    Chapter: structured_inputs.
    """
    X, y = problem.train.X, problem.train.y
    if len(y) < 2:
        raise BadParameter("the sample has 1 point: two halves need at least two.")
    half = len(y) // 2
    start = drawn_start(width, X[:half], generator)
    moved = replace(start, W=unit_variance(gradient_directions(start, X[:half], y[:half]), X[:half]))
    network = with_new_biases(moved, generator)
    fit = fit_ridge(network.features(X[half:]), y[half:], levels)
    return HeadPredictor(replace(network, a=fit.coefficients), fit)


def inner_product_kernel(X: torch.Tensor, Z: torch.Tensor | None = None, *, scale: float) -> torch.Tensor:
    """Return the kernel exp(c <x, z> / d), which does not pay for the length of an input as a Gaussian kernel does.

    Args:
        X: inputs, of shape (n, d).
        Z: other inputs, of shape (k, d); X itself when left out.
        scale: c, above 0.

    Returns:
        Kernel of shape (n, k), or (n, n), dtype and device of X.

    Raises:
        BadParameter: if shapes do not fit or ``scale`` is not above 0.

    Chapter: structured_inputs.

    >>> inner_product_kernel(torch.tensor([[0.0, 2.0]]), torch.tensor([[5.0, 0.0]]), scale=1.0).tolist()
    [[1.0]]
    """
    d = matrix("X", X).shape[1]
    other = X if Z is None else matrix("Z", Z, d)
    return (X @ other.T * (real_number("scale", scale, above=0) / d)).exp_()


@labelled("inner-product kernel")
def fit_inner_product_kernel(
    problem: Problem, generator: torch.Generator, scales: Sequence[float] = SCALES
) -> KernelPredictor:
    """Fit ridge regression with the kernel exp(c <x, z> / d), c and penalty by left-out errors.

    Args:
        problem: its training sample.
        generator: not used; nothing is drawn.
        scales: candidates for c.

    Raises:
        BadParameter: as ``tuned_kernel_ridge``.

    Chapter: structured_inputs.
    """
    kernels = [functools.partial(inner_product_kernel, scale=scale) for scale in scales]
    return tuned_kernel_ridge(problem.train, kernels)


@labelled("first principal component")
def fit_first_component(
    problem: Problem, generator: torch.Generator, width: int, scales: Sequence[float] = SCALES
) -> HeadPredictor:
    """Fit the same head on neurons along plus and minus the first principal component: no label finds the direction.

    Args:
        problem: its training sample.
        generator: source of the biases.
        width: m, number of neurons.
        scales: as in ``fit_head``.

    Raises:
        BadParameter: if width is below 1; as ``fit_head``.

    Chapter: structured_inputs.
    """
    X = problem.train.X
    return fit_head(problem.train, _within(first_component(X)[:, None], width, X, generator), scales=scales)


@labelled("known direction")
def fit_known_direction(
    problem: Problem, generator: torch.Generator, width: int, scales: Sequence[float] = SCALES
) -> HeadPredictor:
    """Fit the same head on neurons in the true direction, or directions, which nobody knows in practice.

    Args:
        problem: its training sample, and the task, whose directions are read.
        generator: source of the biases.
        width: m, number of neurons.
        scales: as in ``fit_head``.

    Raises:
        BadParameter: if the task has no directions, or width is below 1; as ``fit_head``.

    Chapter: structured_inputs.
    """
    directions = getattr(problem.task, "directions", None)
    if directions is None:
        raise BadParameter("the task of this problem has no directions: there is none to know.")
    X = problem.train.X
    return fit_head(problem.train, _within(directions.to(X), width, X, generator), scales=scales)


def spike_threshold(betas: Sequence[float], risks: Sequence[float], level: float) -> float:
    """Return the exponent of the spike from which on the risk stays at or below a level.

    Between two exponents the risk is taken to be linear. This is what stands for a threshold at finite d.

    Args:
        betas: exponents, ascending.
        risks: risks at these exponents; NaN where nothing was run.
        level: risk to be reached.

    Returns:
        The exponent; NaN if the risk is still above at the end; the first exponent if it is never above.

    Raises:
        BadParameter: if lengths differ or the exponents do not ascend.

    Chapter: structured_inputs.

    >>> round(spike_threshold([0.0, 0.5, 1.0], [1.0, 0.6, 0.2], level=0.4), 6)
    0.75
    """
    sizes = [math.exp(beta) for beta in betas]  # whose logarithm is what samples_to_reach interpolates in
    return math.log(samples_to_reach(sizes, risks, level))


def clipped(predictor: Callable[[torch.Tensor], torch.Tensor], y: torch.Tensor) -> Callable:
    """Return the predictor held between the least and the largest label that it was trained on.

    Args:
        predictor: a function from inputs (n, d) to predictions (n,).
        y: training labels.

    Raises:
        BadParameter: if y is no vector.

    Chapter: structured_inputs.

    >>> clipped(lambda X: X[:, 0], torch.tensor([-1.0, 2.0]))(torch.tensor([[-5.0], [0.5], [9.0]])).tolist()
    [-1.0, 0.5, 2.0]
    """
    return functools.partial(_held_between, predictor, float(vector("y", y).min()), float(y.max()))


def _held_between(predictor: Callable, low: float, high: float, X: torch.Tensor) -> torch.Tensor:
    return predictor(X).clamp(low, high)


def _within(directions: torch.Tensor, width: int, X: torch.Tensor, generator: torch.Generator) -> TwoLayerNetwork:
    """Return neurons drawn from the span of directions, of unit variance on the sample, with biases from N(0, 1)."""
    drawn = random_network(width, directions, generator)
    return replace(drawn, W=unit_variance(drawn.W, X))
