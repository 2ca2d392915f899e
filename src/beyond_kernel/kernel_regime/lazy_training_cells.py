"""One training at one output scale, beside its tangent model and its kernel at infinite width."""

import re
from dataclasses import dataclass, replace

import torch

from beyond_kernel.checks import matrix, one_of, whole_number
from beyond_kernel.foundations.learning.measures import risk, subspace_overlap
from beyond_kernel.foundations.learning.ridge import fit_kernel_ridge
from beyond_kernel.foundations.learning.samples import Problem, Sample, draw_problem
from beyond_kernel.foundations.learning.teachers import TeacherNetwork, relu_teacher
from beyond_kernel.foundations.targets.target import Target, parse_target
from beyond_kernel.kernel_regime.activations import Activation, Elementwise
from beyond_kernel.kernel_regime.dual_kernels import dual_tangent_kernel
from beyond_kernel.kernel_regime.lazy_training import (
    ScaledNetwork,
    TangentFit,
    gradient_descent,
    independent_start,
    kernel_drift,
    stable_step,
    symmetric_start,
    tangent_fit,
)
from beyond_kernel.random_streams import generator_for

STARTS = {"symmetric": symmetric_start, "independent": independent_start}


def task_of(task: str, d: int, seed: int) -> TeacherNetwork | Target:
    """Return the function that a text stands for: "3 relu neurons" or a polynomial such as "z1 + z1*z2".

    Args:
        task: the text; a polynomial is scaled to mean square 1.
        d: dimension of the inputs.
        seed: of the hidden directions.

    Raises:
        TargetError: if the text is neither.
        BadParameter: if d is below 2 or the seed negative.

    Chapter: lazy_training.
    """
    if found := re.fullmatch(r"(\d+) relu neurons?", task):
        return relu_teacher(int(found[1]), d, seed)
    return parse_target(task, d, seed).normalised()


def with_constant(X: torch.Tensor) -> torch.Tensor:
    """Return X with one more coordinate of constant value 1, whose weights are the neurons' biases."""
    return torch.cat([matrix("X", X), torch.ones_like(X[:, :1])], 1)


def draw_task(task: str, d: int, n: int, noise: float, seed: int, device: torch.device | str = "cpu") -> Problem:
    """Draw n Gaussian training points and 10,000 test points of a task, inputs extended by the constant.

    Args:
        task: as in ``task_of``.
        d: dimension of the inputs before the constant is added.
        n: number of training points.
        noise: standard deviation of the training labels' noise, +noise or -noise.
        seed: of everything drawn; the test points depend on it and on d alone.
        device: where the samples lie.

    Raises:
        BadParameter: if n is below 1 or noise negative, or as ``task_of``.

    Chapter: lazy_training.
    """
    problem = draw_problem(task_of(task, d, seed), n, noise, seed, device=device)
    samples = (replace(sample, X=with_constant(sample.X)) for sample in (problem.train, problem.test))
    return Problem(*samples, problem.task)


@dataclass(frozen=True)
class LazyRun:
    """A trained network, its start, and the tangent model after the same steps.

    Attributes:
        start: the network before training.
        trained: the network after training.
        gram: tangent kernel at the start on the training inputs.
        fit: the tangent model.
        problem: training and test sample, inputs with the constant, and the task.
    """

    start: ScaledNetwork
    trained: ScaledNetwork
    gram: torch.Tensor
    fit: TangentFit
    problem: Problem

    @property
    def train(self) -> Sample:
        """The training sample."""
        return self.problem.train

    @property
    def test(self) -> Sample:
        """The test sample."""
        return self.problem.test

    def tangent_prediction(self, X: torch.Tensor) -> torch.Tensor:
        """Return what the tangent model predicts at the rows of X."""
        return self.start(X) + self.start.gram(X, self.train.X) @ self.fit.coefficients


def lazy_run(
    task: str,
    d: int,
    n: int,
    width: int,
    scale: float,
    steps: int,
    noise: float,
    seed: int,
    activation: str | Elementwise | Activation = "relu",
    start: str = "symmetric",
    device: torch.device | str = "cpu",
) -> LazyRun:
    """Train one network and its tangent model, the same number of steps from the same start.

    Args:
        task: as in ``task_of``.
        d: dimension of the inputs.
        n: number of training samples.
        width: m.
        scale: alpha.
        steps: of gradient descent, of the size that ``stable_step`` gives.
        noise: standard deviation of the label noise.
        seed: of everything drawn; weights and data do not depend on scale or steps.
        activation: sigma.
        start: "symmetric", zero output, or "independent".
        device: where everything lies.

    Raises:
        BadParameter: if a parameter is out of range or a weight is no longer finite.

    Chapter: lazy_training.
    """
    drawing = STARTS[one_of("start", start, tuple(STARTS))]
    problem = draw_task(task, d, n, noise, seed, device)
    train = problem.train
    first = drawing(width, d + 1, scale, generator_for(seed, "weights", width, d), activation, device)
    gram = first.gram(train.X)
    step = stable_step(gram)
    trained = gradient_descent(first, train.X, train.y, step, steps)
    return LazyRun(first, trained, gram, tangent_fit(gram, train.y - first(train.X), step, steps), problem)


def lazy_cell(
    task: str,
    d: int,
    n: int,
    width: int,
    scale: float,
    steps: int,
    noise: float,
    *,
    activation: str | Elementwise = "relu",
    start: str = "symmetric",
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Return the numbers of one ``lazy_run``, which takes the same parameters.

    Returns:
        ``risk`` and ``tangent_risk``: of the network and of the tangent model. ``movement`` and ``tangent_movement``:
        distance of all weights from the start over their norm there. ``drift``: relative change of the tangent kernel.
        ``gap``: relative distance of the two models' predictions at the test points. ``loss``: mean squared error on
        the training labels. ``start_overlap`` and ``overlap``: mean over neurons of the share of |w|^2, biases left
        out, that lies in the task's relevant subspace, before and after training. ``aim``: that share for the movement
        of the whole first layer.

    Raises:
        BadParameter: as ``lazy_run``.

    Chapter: lazy_training.
    """
    run = lazy_run(task, d, n, width, scale, steps, noise, seed, activation, start, device)
    prediction, tangent = run.trained(run.test.X), run.tangent_prediction(run.test.X)
    return {
        "risk": risk(prediction, run.test.truth, run.problem.variance).value,
        "tangent_risk": risk(tangent, run.test.truth, run.problem.variance).value,
        "movement": run.trained.distance(run.start) / run.start.length(),
        "tangent_movement": run.fit.distance / run.start.scale / run.start.length(),
        "drift": kernel_drift(run.gram, run.trained.gram(run.train.X)),
        "gap": float((prediction - tangent).norm() / tangent.norm()),
        "loss": float((run.trained(run.train.X) - run.train.y).square().mean()),
    } | turning(run.start.W[:, :d], run.trained.W[:, :d], run.problem.task.directions)


def turning(before: torch.Tensor, after: torch.Tensor, directions: torch.Tensor) -> dict[str, float]:
    """Return how far neurons lie in a subspace before and after training, and how far their movement does.

    Args:
        before: first layer at the start, of shape (m, d).
        after: first layer after training, of the same shape.
        directions: orthonormal columns, of shape (d, r).

    Returns:
        ``start_overlap`` and ``overlap``, means over neurons of |U^T w|^2 / |w|^2, and ``aim``, the share
        |dW U|^2 / |dW|^2 of the whole movement; a movement without aim has r / d, and no movement has 0.

    Raises:
        BadParameter: if shapes do not fit or the columns are not orthonormal.

    Chapter: lazy_training.
    """
    moved = matrix("after", after, len(directions)) - before
    along, whole = float((moved @ directions.to(moved)).square().sum()), float(moved.square().sum())
    return {
        "start_overlap": float(subspace_overlap(before, directions).mean()),
        "overlap": float(subspace_overlap(after, directions).mean()),
        "aim": along / whole if whole else 0.0,
    }


def widest_cell(
    task: str,
    d: int,
    n: int,
    steps: int,
    noise: float,
    *,
    activation: str | Elementwise = "relu",
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Return the risks of the tangent kernel at infinite width, on the data of ``lazy_cell``.

    Returns:
        ``risk``: after the same number of steps of gradient descent; ``tuned``: of kernel ridge regression whose
        penalty is chosen by leave-one-out on the same labels.

    Raises:
        BadParameter: as ``lazy_run``.

    Chapter: lazy_training.
    """
    problem = draw_task(task, d, n, noise, seed, device)
    gram = dual_tangent_kernel(problem.train.X, activation=activation)
    cross = dual_tangent_kernel(problem.test.X, problem.train.X, activation=activation)
    fit, ridge = tangent_fit(gram, problem.train.y, stable_step(gram), steps), fit_kernel_ridge(gram, problem.train.y)
    return {
        name: risk(cross @ coefficients, problem.test.truth, problem.variance).value
        for name, coefficients in (("risk", fit.coefficients), ("tuned", ridge.coefficients))
    }


def draws_cell(
    task: str,
    d: int,
    n: int,
    width: int,
    steps: int,
    noise: float,
    *,
    draws: int = 8,
    activation: str | Elementwise = "relu",
    device: str = "cpu",
    seed: int,
) -> dict[str, float]:
    """Return what the draw of its weights costs the tangent model: several draws on the same data.

    Returns:
        ``risk``: mean over draws of the tangent model's risk. ``variance``: the variance of its predictions over
        draws, averaged over test points, in the unit of the risk. Their difference estimates the risk of the mean
        prediction over all draws.

    Raises:
        BadParameter: if draws is below 2, or as ``lazy_run``.

    Chapter: lazy_training.
    """
    problem, predictions = draw_task(task, d, n, noise, seed, device), []
    for draw in range(whole_number("draws", draws, least=2)):
        generator = generator_for(seed, "draws", draw, width, d)
        start = symmetric_start(width, d + 1, 1.0, generator, activation, device)
        gram = start.gram(problem.train.X)
        fit = tangent_fit(gram, problem.train.y, stable_step(gram), steps)
        predictions.append(start.gram(problem.test.X, problem.train.X) @ fit.coefficients)
    values = torch.stack(predictions)
    return {
        "risk": sum(risk(one, problem.test.truth, problem.variance).value for one in values) / draws,
        "variance": float(values.var(0).mean()) / problem.variance,
    }
