"""Learners of a ball: a linear and a clipped head on the same frozen features, a stump on the norm, polynomials."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.special import roots_legendre

from beyond_kernel.checks import BadParameter, list_of, real_number, whole_number
from beyond_kernel.escaping_the_kernel.clipped_neuron import (
    ErfFeatures,
    clip,
    draw_erf_features,
    train_clipped_neuron,
    whitener,
)
from beyond_kernel.foundations.learning.held_out import split_fifth
from beyond_kernel.foundations.learning.learners import Learner, Predictor, labelled
from beyond_kernel.foundations.learning.ridge import fit_ridge
from beyond_kernel.foundations.learning.samples import Problem

DAMPINGS = (1e-3, 1e-2, 1e-1)
"""Dampings of the whitened steps among which a held-out fifth chooses."""
RATE, STEPS, EVERY = 0.8, 60, 3
"""Step size and number of the whitened steps, and how many lie between two looks at the held-out fifth."""
GAINS, CENTRES = tuple(2 ** (k / 3) for k in range(16)), tuple(k / 20 for k in range(1, 20))
"""Factors from 1 to 32 and centres by which a finished prediction is turned up, among which a fifth chooses."""
NODES = 400
"""Nodes of Gauss and Legendre on each side of the ball's edge."""


@dataclass(frozen=True)
class FrozenHead:
    """The function x -> <w, phi(x)> on frozen features, or its clip to [0, 1].

    Attributes:
        features: phi.
        w: weights of the output neuron, of shape (m,) or (m + 1,).
        clipped: whether the output is cut to [0, 1].
    """

    features: ErfFeatures
    w: torch.Tensor
    clipped: bool

    def inner(self, X: torch.Tensor) -> torch.Tensor:
        """Return <w, phi(x)>, before any clip, of shape (n,)."""
        return torch.cat([self.features(rows) @ self.w.to(X) for rows in X.split(4096)])

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return predictions of shape (n,)."""
        return clip(self.inner(X)) if self.clipped else self.inner(X)


@labelled("linear head")
def fit_linear_head(problem: Problem, generator: torch.Generator, width: int, constant: bool = True) -> FrozenHead:
    """Fit a linear output on frozen error-function features by ridge regression, its penalty by leave-one-out.

    Args:
        problem: its training sample.
        generator: source of the features; a clipped head with an equal one has the same.
        width: m, number of features.
        constant: whether the output has a bias.

    Raises:
        BadParameter: as ``draw_erf_features`` and ``fit_ridge``.

    Chapter: depth_separation.
    """
    X = problem.train.X
    features = draw_erf_features(width, X.shape[1], generator, constant)
    return FrozenHead(features, fit_ridge(features(X), problem.train.y).coefficients, clipped=False)


@labelled("clipped head")
def fit_clipped_head(
    problem: Problem,
    generator: torch.Generator,
    width: int,
    constant: bool = True,
    dampings: Sequence[float] = DAMPINGS,
    steps: int = STEPS,
) -> FrozenHead:
    """Train a clipped output on frozen error-function features by whitened gradient descent on the square loss.

    Four fifths of the sample, drawn at random, are descended on; the others choose damping and number of steps.

    Args:
        problem: its training sample; all of its labels count, the held-out fifth too.
        generator: source of the features, then of the held-out fifth and of the start of the output weights.
        width: m, number of features.
        constant: whether the output has a bias, which starts at 1/2; the literal form of the source has none.
        dampings: candidates, in units of the mean square of a feature.
        steps: number of steps, at least 1.

    Raises:
        BadParameter: if there are fewer than five samples or an argument is out of range.

    Source: the model, its loss and its start are those of Safran and Lee (2022), equations (2) and (6), Assumption 7;
    whitening, the bias and the choice of the last weights are ours. Chapter: depth_separation.
    """
    list_of("dampings", dampings, lambda name, value: real_number(name, value, above=0))
    features = draw_erf_features(width, problem.train.X.shape[1], generator, constant)
    train, held_out = split_fifth(problem.train, generator)
    F, other = features(train.X), features(held_out.X)
    start = start_weights(width, generator, constant).to(F)
    best, least = start, float("inf")
    for damping in dampings:
        metric = whitener(F, damping)
        path = train_clipped_neuron(F, train.y, start, rate=RATE, steps=whole_number("steps", steps), metric=metric)
        looks = torch.cat([path.weights[EVERY::EVERY], path.weights[-1:]])
        errors = (clip(other @ looks.T) - held_out.y[:, None]).square().mean(0)
        if float(errors.min()) < least:
            best, least = looks[errors.argmin()], float(errors.min())
    return FrozenHead(features, best, clipped=True)


@dataclass(frozen=True)
class TurnedUp:
    """The function x -> [1/2 + gain (f(x) - centre)], cut to [0, 1], of a finished predictor f.

    Attributes:
        predictor: f.
        gain: factor by which f is turned up.
        centre: value of f that becomes 1/2.
    """

    predictor: Predictor
    gain: float
    centre: float

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return predictions of shape (n,)."""
        return clip(0.5 + self.gain * (self.predictor(X) - self.centre))


def fit_turned_up(problem: Problem, generator: torch.Generator, learner: Learner) -> TurnedUp:
    """Turn a finished prediction up and cut it, by two numbers that are chosen on a fifth of the sample.

    They are chosen for a fit on the other four fifths and then go with a fit on all of it; no further label is seen.

    Args:
        problem: its training sample, of at least five points.
        generator: source of whatever the learner draws, the same for both fits, and of the held-out fifth.
        learner: what is trained.

    Raises:
        BadParameter: if there are fewer than five samples; whatever the learner raises.

    Source: the rival that the clip in the loss must be held against, derived here. Chapter: depth_separation.
    """
    state = generator.get_state()
    finished = learner(problem, generator)
    train, held_out = split_fifth(problem.train, generator)
    generator.set_state(state)
    values = learner(replace(problem, train=train), generator)(held_out.X)
    gains, centres = (values.new_tensor(grid) for grid in (GAINS, CENTRES))
    outputs = clip(0.5 + gains[:, None, None] * (values - centres[:, None]))
    best = int((outputs - held_out.y).square().mean(-1).argmin())
    return TurnedUp(finished, GAINS[best // len(CENTRES)], CENTRES[best % len(CENTRES)])


def start_weights(width: int, generator: torch.Generator, constant: bool = True) -> torch.Tensor:
    """Return output weights at the start: w ~ N(0, I / m^2), and 1/2 for the constant feature if there is one.

    Args:
        width: m, number of features without the constant.
        generator: source of the weights, float64 on its device.
        constant: whether there is a constant feature.

    Raises:
        BadParameter: if width is below 1.

    Source: Safran and Lee (2022), Assumption 7, for w. Chapter: depth_separation.
    """
    w = torch.randn(whole_number("width", width), generator=generator, dtype=torch.float64, device=generator.device)
    return torch.cat([w / width, w.new_tensor([0.5] if constant else [])])


@dataclass(frozen=True)
class NormStump:
    """The function of |x| that has one value up to a threshold and another one beyond.

    Attributes:
        threshold: where it jumps.
        inside: its value at short inputs.
        outside: its value at long ones.
    """

    threshold: float
    inside: float
    outside: float

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return predictions of shape (n,)."""
        near = X.norm(dim=1) <= self.threshold
        return torch.where(near, X.new_tensor(self.inside), X.new_tensor(self.outside))


@labelled("norm stump")
def fit_norm_stump(problem: Problem, generator: torch.Generator) -> NormStump:
    """Fit the best step function of |x|: what somebody does who knows that no direction matters.

    Args:
        problem: its training sample, of at least two points.
        generator: not used; nothing is drawn.

    Raises:
        BadParameter: if there is one point only.

    Source: least squares over all thresholds between two neighbouring lengths. Chapter: depth_separation.
    """
    norms, order = problem.train.X.norm(dim=1).sort()
    y, n = problem.train.y[order], len(norms)
    if n < 2:
        raise BadParameter("the sample has 1 point: a threshold needs at least 2.")
    counts = torch.arange(1, n, dtype=y.dtype, device=y.device)
    sums, total = y.cumsum(0)[:-1], y.sum()
    explained = sums.square() / counts + (total - sums).square() / (n - counts)
    cut = int(explained.argmax())
    inside, outside = float(sums[cut] / counts[cut]), float((total - sums[cut]) / (n - counts[cut]))
    return NormStump(float(norms[cut] + norms[cut + 1]) / 2, inside, outside)


def best_polynomial_error(radius: float, d: int, degree: int) -> float:
    """Return the least E (p(t) - 1[|x| <= radius])^2 over polynomials p, for x = x_1 + x_2 and t = <x_1, x_2>.

    As |x|^2 = 2 + 2t, the ball is t <= radius^2 / 2 - 1, and t = cos(angle) with density sin(angle)^{d-2} up to scale.

    Args:
        radius: of the ball, above 0 and below 2.
        d: dimension, at least 2.
        degree: of p, from 0 to 12.

    Raises:
        BadParameter: if an argument is out of range.

    Source: derived here. Chapter: depth_separation.

    >>> round(best_polynomial_error(2**0.5, 8, 0), 6)  # half of the inputs lie in the ball
    0.25
    """
    whole_number("d", d, least=2), whole_number("degree", degree, least=0, most=12)
    if real_number("radius", radius, above=0) >= 2:
        raise BadParameter(f"radius = {radius!r} is out of range: the sum of two unit vectors is shorter than 2.")
    edge = np.arccos(radius**2 / 2 - 1)  # inside are the angles above it
    nodes, weights = roots_legendre(NODES)
    low, half = np.array([[0.0], [edge]]), np.array([[edge], [np.pi - edge]]) / 2  # the two sides of the edge
    angles, lengths = (low + half * (nodes + 1)).ravel(), (half * weights).ravel()
    measure = lengths * np.sin(angles) ** (d - 2)
    measure, ball = measure / measure.sum(), (angles > edge).astype(float)
    basis = np.cos(np.outer(angles, np.arange(degree + 1)))  # polynomials in t of each degree
    root = np.sqrt(measure)
    misses = ball - basis @ np.linalg.lstsq(basis * root[:, None], ball * root, rcond=None)[0]
    return float(measure @ misses**2)
