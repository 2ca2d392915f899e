"""One training at one output scale, beside its tangent model: what the figures of lazy_training are made of."""

import re
from dataclasses import dataclass, replace

import torch

from beyond_kernel.checks import matrix, one_of
from beyond_kernel.foundations.learning.measures import excess_risk
from beyond_kernel.foundations.learning.samples import Sample, draw_sample
from beyond_kernel.foundations.learning.teachers import TeacherNetwork, relu_teacher
from beyond_kernel.foundations.targets.target import Target, parse_target
from beyond_kernel.kernel_regime.activations import Activation, Elementwise
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
N_TEST = 2000


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


def draw_task(
    task: str, d: int, n: int, noise: float, seed: int, device: torch.device | str = "cpu"
) -> tuple[Sample, Sample]:
    """Draw n Gaussian training points and 2,000 test points of a task, inputs extended by the constant.

    Args:
        task: as in ``task_of``.
        d: dimension of the inputs before the constant is added.
        n: number of training points.
        noise: standard deviation of the training labels' noise, +noise or -noise.
        seed: of everything drawn.
        device: where the samples lie.

    Raises:
        BadParameter: if n is below 1 or noise negative, or as ``task_of``.

    Chapter: lazy_training.
    """
    function = task_of(task, d, seed)
    train = draw_sample(function, n, noise, generator_for(seed, "train", n, d), device=device)
    test = draw_sample(function, N_TEST, 0.0, generator_for(seed, "test", N_TEST, d), device=device)
    return tuple(replace(sample, X=with_constant(sample.X)) for sample in (train, test))


@dataclass(frozen=True)
class LazyRun:
    """A trained network, its start, and the tangent model after the same steps.

    Attributes:
        start: the network before training.
        trained: the network after training.
        gram: tangent kernel at the start on the training inputs.
        fit: the tangent model.
        train: training sample, inputs with the constant.
        test: test sample.
    """

    start: ScaledNetwork
    trained: ScaledNetwork
    gram: torch.Tensor
    fit: TangentFit
    train: Sample
    test: Sample

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
    train, test = draw_task(task, d, n, noise, seed, device)
    first = drawing(width, d + 1, scale, generator_for(seed, "weights", width, d), activation, device)
    gram = first.gram(train.X)
    step = stable_step(gram)
    trained = gradient_descent(first, train.X, train.y, step, steps)
    return LazyRun(first, trained, gram, tangent_fit(gram, train.y - first(train.X), step, steps), train, test)


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
        ``risk`` and ``tangent_risk``: excess risks of the network and of the tangent model. ``movement`` and
        ``tangent_movement``: distance of all weights from the start over their norm there. ``drift``: relative change
        of the tangent kernel. ``gap``: relative distance of the two models' predictions at the test points. ``loss``:
        mean squared error on the training labels.

    Raises:
        BadParameter: as ``lazy_run``.

    Chapter: lazy_training.
    """
    run = lazy_run(task, d, n, width, scale, steps, noise, seed, activation, start, device)
    prediction, tangent = run.trained(run.test.X), run.tangent_prediction(run.test.X)
    return {
        "risk": excess_risk(prediction, run.test.truth).value,
        "tangent_risk": excess_risk(tangent, run.test.truth).value,
        "movement": run.trained.distance(run.start) / run.start.length(),
        "tangent_movement": run.fit.distance / run.start.scale / run.start.length(),
        "drift": kernel_drift(run.gram, run.trained.gram(run.train.X)),
        "gap": float((prediction - tangent).norm() / tangent.norm()),
        "loss": float((run.trained(run.train.X) - run.train.y).square().mean()),
    }
