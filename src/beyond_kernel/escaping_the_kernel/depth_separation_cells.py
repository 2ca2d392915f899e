"""The experiments of chapter depth_separation, each a pure function of one cell's parameters, to be run over a grid."""

import functools
from collections.abc import Sequence

import numpy as np
import torch

from beyond_kernel.checks import BadParameter, list_of, one_of, real_number, whole_number
from beyond_kernel.escaping_the_kernel.clipped_neuron import (
    ErfFeatures,
    clip,
    draw_erf_features,
    train_clipped_neuron,
)
from beyond_kernel.escaping_the_kernel.depth_separation import (
    fit_clipped_head,
    fit_linear_head,
    fit_norm_stump,
    fit_turned_up,
    start_weights,
)
from beyond_kernel.escaping_the_kernel.logistic_head import fit_logistic_head
from beyond_kernel.escaping_the_kernel.norm_score import norm_score, score_weights
from beyond_kernel.escaping_the_kernel.trained_layer import fit_clipped_layer, fit_trained_layer
from beyond_kernel.foundations.inputs.balls import BallIndicator
from beyond_kernel.foundations.inputs.radial_inputs import radius_above
from beyond_kernel.foundations.learning.learners import Learner, Predictor, label_of
from beyond_kernel.foundations.learning.samples import Problem, draw_problem
from beyond_kernel.kernel_regime.kernel_learners import fit_gaussian_kernel
from beyond_kernel.kernel_regime.laplace_kernel import fit_laplace_kernel, typical_distance
from beyond_kernel.random_streams import generator_for

LAWS = ("two spheres", "half heavy-tailed")
"""The laws of inputs of the source's two theorems."""
SINGLE = ("trained layer", "trained layer, clipped")
"""Learners that are run in single precision, in half of the time."""


def ball_problem(
    law: str, radius: float, d: int, n: int, *, n_test: int, dtype: torch.dtype, device: str, seed: int
) -> Problem:
    """Draw a problem whose labels say which inputs lie in a ball.

    Args:
        law: of the inputs, one of ``LAWS``.
        radius: of the ball; both sides of it must hold at least one input in a hundred.
        d, n, n_test, dtype, device, seed: as in ``draw_problem``.

    Raises:
        BadParameter: if a parameter is out of range.

    Chapter: depth_separation.
    """
    task = BallIndicator(d, check_radius(law, radius, d), law)
    return draw_problem(task, n, 0.0, seed, n_test=n_test, dtype=dtype, device=device)


def check_radius(law: str, radius: float, d: int) -> float:
    """Return the radius if there is something to learn: at least one input in a hundred inside, and one outside.

    Args:
        law: of the inputs, one of ``LAWS``.
        radius: of the ball, above 0.
        d: dimension, at least 2.

    Raises:
        BadParameter: if an argument is out of range, with the share of inputs inside.

    Chapter: depth_separation.

    >>> check_radius("two spheres", 1.5, 8)
    1.5
    """
    one_of("law", law, LAWS)
    whole_number("d", d, least=2)
    at = torch.tensor([real_number("radius", radius, above=0)], dtype=torch.float64, device="cpu")
    inside = 1 - float(radius_above(law, at, d))
    if not 0.01 <= inside <= 0.99:
        raise BadParameter(
            f"radius = {radius!r} leaves {inside:.3g} of the inputs of the law {law!r} in d = {d} inside the ball: "
            "a share from 0.01 to 0.99 is needed."
        )
    return float(radius)


def check_square(name: str, law: str, square: float, d: int) -> float:
    """Return the square of a radius if ``check_radius`` accepts the radius; on two spheres it must be below 4.

    Args:
        name: what the square is called in a message.
        law: of the inputs, one of ``LAWS``.
        square: squared radius of the ball, above 0.
        d: dimension, at least 2.

    Raises:
        BadParameter: if an argument is out of range.

    Chapter: depth_separation.
    """
    check_radius(law, real_number(name, square, above=0) ** 0.5, d)
    return float(square)


def ball_cell(
    learner: str,
    law: str,
    radius: float,
    d: int,
    n: int,
    width: int,
    *,
    constant: bool = True,
    layer_steps: int = 800,
    n_test: int = 4000,
    precision: str = "float64",
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Train one learner on n labels of a ball; all see the same problem, both heads the same features.

    Args:
        learner: label of one of the learners of the chapter.
        law, radius, d, n: the task, and the number of labels that the learner sees in all.
        width: of the frozen features.
        constant: whether the heads have an output bias.
        layer_steps: steps of Adam of a trained layer.
        n_test: points on which everything is measured.
        precision: "float64" or "float32"; learners of ``SINGLE`` have float32 at all events.
        device: where everything lies.
        seed: of data and whatever the learner draws.

    Returns:
        ``error``: mean squared error on labels 0 and 1; ``clamped``: the same with predictions cut to [0, 1]
        afterwards; ``mistakes``: share of test points on the wrong side of 1/2.
    """
    fit = _learner(learner, law, width, constant, layer_steps)
    dtype = torch.float32 if learner in SINGLE else _dtype(precision)
    problem = ball_problem(law, radius, d, n, n_test=n_test, dtype=dtype, device=device, seed=seed)
    prediction = fit(problem, generator_for(seed, "neurons", d))(problem.test.X)
    return _measured(prediction, problem.test.y)


def turned_up_cell(
    learner: str,
    law: str,
    radius: float,
    d: int,
    n: int,
    width: int,
    *,
    precision: str = "float64",
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Turn the prediction of a finished learner up and cut it, on the problem and the neurons of ``ball_cell``.

    Args:
        learner, law, radius, d, n, width, precision, device, seed: as in ``ball_cell``.

    Returns:
        ``error``: mean squared error; ``gain``: the chosen factor.
    """
    fit = _learner(learner, law, width, True, 800)
    problem = ball_problem(law, radius, d, n, n_test=4000, dtype=_dtype(precision), device=device, seed=seed)
    found = fit_turned_up(problem, generator_for(seed, "neurons", d), fit)
    return {"error": _measured(found(problem.test.X), problem.test.y)["error"], "gain": found.gain}


def profile_cell(
    law: str, radius: float, d: int, n: int, width: int, shells: int, *, device: str = "cpu", seed: int
) -> dict[str, np.ndarray]:
    """Follow the heads from the shortest inputs to the longest: means over shells of equally many test points.

    Args:
        law, radius, d, n, width, device, seed: as in ``ball_cell``.
        shells: number of shells.

    Returns:
        ``norms``: median length in each shell; ``linear``: mean prediction of the linear head; ``inner`` and
        ``clipped``: of the clipped head before and after its clip. All of shape (shells,).
    """
    n_test = 200 * whole_number("shells", shells)
    problem = ball_problem(law, radius, d, n, n_test=n_test, dtype=torch.float64, device=device, seed=seed)
    linear, clipped = (
        fit(problem, generator_for(seed, "neurons", d), width=width) for fit in (fit_linear_head, fit_clipped_head)
    )
    norms, order = problem.test.X.norm(dim=1).sort()
    X = problem.test.X[order]
    values = {"linear": linear(X), "inner": clipped.inner(X), "clipped": clipped(X)}
    found = {name: value.reshape(shells, -1).mean(1) for name, value in values.items()}
    found["norms"] = norms.reshape(shells, -1).median(1).values
    return {name: value.cpu().numpy() for name, value in found.items()}


def momentum_cell(
    law: str,
    radius: float,
    d: int,
    n: int,
    width: int,
    step: float,
    momentum: float,
    steps: int,
    *,
    device: str = "cpu",
    seed: int,
) -> dict[str, np.ndarray]:
    """Train both heads on the same features by plain gradient descent with momentum, from the same start.

    Args:
        law, radius, d, n, width, device, seed: as in ``ball_cell``.
        step: step size in units of one over the largest eigenvalue of F'F / n; a linear output is stable below
            1 + momentum.
        momentum: from 0 up to 1.
        steps: their number.

    Returns:
        ``linear`` and ``losses``: training loss of the linear and of the clipped head; ``active``: share of samples
        that the clipped one hears. Before each step and after the last, of shape (steps + 1,).
    """
    problem = ball_problem(law, radius, d, n, n_test=2, dtype=torch.float64, device=device, seed=seed)
    generator, y = generator_for(seed, "neurons", d), problem.train.y
    F = draw_erf_features(width, d, generator)(problem.train.X)
    w = start_weights(width, generator).to(F)
    rate = step * len(F) / float(torch.linalg.matrix_norm(F, 2)) ** 2
    path = train_clipped_neuron(F, y, w, rate=rate, steps=steps, momentum=momentum)
    linear, speed = [], torch.zeros_like(w)
    for _ in range(steps + 1):
        residuals = F @ w - y
        linear.append(float(residuals.square().mean()))
        speed = momentum * speed + F.T @ residuals * (2 / len(y))
        w = w - rate * speed
    return {"linear": np.array(linear), "losses": path.losses.cpu().numpy(), "active": path.active.cpu().numpy()}


def score_cell(
    law: str, radius: float, d: int, widths: Sequence[int], *, n_test: int = 2000, device: str = "cpu", seed: int
) -> dict[str, np.ndarray]:
    """Count on which side of the ball the hand-made score puts test points, for several widths.

    Args:
        law, radius, d, n_test, device, seed: as in ``ball_cell``.
        widths: numbers of frozen neurons, each at least 1.

    Returns:
        ``mistakes``: share of test points for which the sign of the score is wrong, of shape (len(widths),).
    """
    sizes = list_of("widths", widths, whole_number)
    problem = ball_problem(law, radius, d, 2, n_test=n_test, dtype=torch.float64, device=device, seed=seed)
    balance, found = norm_score(radius).balance, []
    for width in sizes:
        features = draw_erf_features(width, d, generator_for(seed, "score", width), constant=False)
        score = _summed(features, score_weights(features.b, balance), problem.test.X)
        found.append(float(((score > 0) != (problem.test.y > 0.5)).to(score).mean()))
    return {"mistakes": np.array(found)}


def _dtype(precision: str) -> torch.dtype:
    return getattr(torch, one_of("precision", precision, ("float64", "float32")))


def _learner(label: str, law: str, width: int, constant: bool, steps: int) -> Learner:
    """Return a learner by its label; a trained layer has the activation that was the better one on that law."""
    linear = functools.partial(fit_linear_head, width=width, constant=constant)
    clipped = functools.partial(fit_clipped_head, width=width, constant=constant)
    logistic = functools.partial(fit_logistic_head, width=width, constant=constant)
    activation = "erf" if law == "half heavy-tailed" else "relu"  # a linear output of ReLU has no bound on long inputs
    layer = functools.partial(fit_trained_layer, activation=activation, steps=steps)
    both = functools.partial(fit_clipped_layer, activation="relu", steps=steps)
    known = [linear, clipped, logistic, layer, both, fit_laplace_kernel, _fit_gaussian, fit_norm_stump]
    by_label = {label_of(learner): learner for learner in known}
    return by_label[one_of("learner", label, list(by_label))]


def _fit_gaussian(problem: Problem, generator: torch.Generator) -> Predictor:
    """Fit the Gaussian kernel at lengths in units of the typical distance, as the Laplace kernel's are."""
    X = problem.train.X
    scales = [scale * typical_distance(X) / X.shape[1] ** 0.5 for scale in (0.25, 0.5, 1.0)]
    return fit_gaussian_kernel(problem, generator, scales=scales)


_fit_gaussian.label = label_of(fit_gaussian_kernel)


def _measured(prediction: torch.Tensor, y: torch.Tensor) -> dict[str, float]:
    misses = {"error": prediction - y, "clamped": clip(prediction) - y}
    found = {name: float(miss.double().square().mean()) for name, miss in misses.items()}
    return found | {"mistakes": float(((prediction > 0.5) != (y > 0.5)).double().mean())}


def _summed(features: ErfFeatures, weights: torch.Tensor, X: torch.Tensor) -> torch.Tensor:
    return torch.cat([features(rows) @ weights.to(X) for rows in X.split(500)])
