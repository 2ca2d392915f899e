"""Labelled samples of a task, and the two of them that every comparison needs: train and test."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from beyond_kernel.checks import BadParameter, real_number, vector, whole_number
from beyond_kernel.foundations.inputs.laws import INPUT_LAWS, gaussian, sample_inputs
from beyond_kernel.foundations.inputs.radial_inputs import RADIAL_LAWS
from beyond_kernel.foundations.learning.tasks import ArrayTask, Task, check_task
from beyond_kernel.foundations.targets.target import Target
from beyond_kernel.random_streams import generator_for

Law = str | Callable[..., torch.Tensor]
"""A key of ``INPUT_LAWS`` or ``RADIAL_LAWS``, or a sampler, which is a function of n, d, a generator and a dtype."""


@dataclass(frozen=True)
class Sample:
    """Inputs X (n, d), noisy labels y (n,) and the noise-free values truth (n,), None where nobody knows them."""

    X: torch.Tensor
    y: torch.Tensor
    truth: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.y)

    @property
    def reference(self) -> torch.Tensor:
        """The noise-free values where they are known, else the labels; predictions are held against them."""
        return self.y if self.truth is None else self.truth


@dataclass(frozen=True)
class Problem:
    """Two independent samples: all labels that a learner sees are in ``train``, and the risk is read from ``test``.

    ``task`` is what they were drawn from, None where nobody knows, and ``law`` the law of its inputs, None for the one
    that the task is made for. A learner looks at train alone; only an oracle looks at the task.
    """

    train: Sample
    test: Sample
    task: Task | None = None
    law: Law | None = None

    @property
    def variance(self) -> float:
        """Var f*, the unit of every risk, exact under the law that the task is made for, else of the test points."""
        if self.task is None or (self.law is not None and self.law != law_of(self.task)):
            return float(self.test.reference.var(correction=0))
        return self.task.variance


def draw_sample(
    task: Task,
    n: int,
    noise: float,
    generator: torch.Generator,
    law: Law | None = None,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
) -> Sample:
    """Draw n labelled points: y = f*(x) + noise * (+1 or -1), each sign with probability 1/2.

    All precisions and devices see the same draws of one generator. A task that is a pair of arrays has its own inputs,
    of which n are drawn without replacement; then law, dtype and device are not used, and nobody knows the truth.

    Args:
        task: f*.
        n: number of points.
        noise: standard deviation of the label noise.
        generator: source of inputs and noise.
        law: of the inputs, by name or as a sampler; where it is left out, the task's own, or Gaussian.
        dtype: a floating-point dtype.
        device: where the sample is to lie.

    Raises:
        BadParameter: if n is below 1 or above the number of given points, noise is negative or the law is unknown.
        TypeError: if the task has not what a task has.

    Source: Damian, Lee, Soltanolkotabi 2022, Section 2.1, for the label noise. Chapter: one_step.

    >>> from beyond_kernel.foundations.targets.target import parse_target
    >>> sample = draw_sample(parse_target("z1*z2", 5), 100, 0.5, generator_for(0))
    >>> sample.X.shape, round(float((sample.y - sample.truth).abs().max()), 9)
    (torch.Size([100, 5]), 0.5)
    """
    real_number("noise", noise, least=0)
    if isinstance(check_task(task), ArrayTask):
        return _rows(task, [n], [noise], generator)[0]
    X = draw_inputs(law_of(task, law), n, task.dim, generator, dtype, device)
    truth = task(X)
    return Sample(X, noisy(truth, noise, generator), truth)


def law_of(task: Task, law: Law | None = None) -> Law:
    """Return the law of inputs to draw a task under: the one given, else the task's own, else "gaussian".

    Args:
        task: f*; one that is made for one law, such as a ball, names it as its attribute ``law``.
        law: by name or as a sampler; None where nothing is asked for.

    Raises:
        BadParameter: if another law than the task's own is asked for, under which its mean square would not hold.
    """
    own = getattr(task, "law", None)
    if own is not None and law is not None and law != own:
        raise BadParameter(f"law = {law!r:.60} is not the law {own!r} that the task is made for: leave it out.")
    return law or own or "gaussian"


def draw_inputs(
    law: Law,
    n: int,
    d: int,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
) -> torch.Tensor:
    """Return n inputs of a law given by name or as a sampler, of shape (n, d).

    Args:
        law: of the inputs.
        n: their number.
        d: their dimension.
        generator: source of the randomness.
        dtype: a floating-point dtype.
        device: where the inputs are to lie.

    Raises:
        BadParameter: if the name is unknown, or a sampler returns another shape than (n, d).

    >>> draw_inputs("sphere", 2, 9, generator_for(0)).norm(dim=1).numpy().round(9).tolist()
    [3.0, 3.0]
    """
    if isinstance(law, str) and law not in RADIAL_LAWS:
        if law not in INPUT_LAWS:
            raise BadParameter(f"law = {law!r} is not known: it must be one of {', '.join(INPUT_LAWS | RADIAL_LAWS)}.")
        return sample_inputs(law, n, d, generator, dtype, device)
    whole_number("n", n)
    X = (RADIAL_LAWS[law] if isinstance(law, str) else law)(n, d, generator, dtype)
    if not isinstance(X, torch.Tensor) or X.shape != (n, d):
        raise BadParameter(f"law = {law!r:.60} did not return a tensor of shape ({n}, {d}).")
    return X.to(device)


def noisy(values: torch.Tensor, noise: float, generator: torch.Generator | None) -> torch.Tensor:
    """Return values plus label noise: +noise or -noise, each with chance one half.

    Args:
        values: noise-free labels, of shape (n,).
        noise: standard deviation, at least 0.
        generator: source of the signs; not needed without noise.

    Raises:
        BadParameter: if noise is negative, or values are no vector or not finite.
        TypeError: if values are no floating-point tensor, or there is noise and no generator.

    Source: Damian, Lee, Soltanolkotabi 2022, Section 2.1. Chapter: one_step.
    """
    vector("values", values)
    if not real_number("noise", noise, least=0):
        return values
    if not isinstance(generator, torch.Generator):
        raise TypeError(f"generator = {generator!r} is not accepted: noise needs a torch.Generator.")
    heads = torch.randint(0, 2, values.shape, generator=generator, device=generator.device)
    return values + noise * (2 * heads.to(values) - 1)


def draw_matched_sample(
    target: Target,
    n: int,
    noise: float,
    latent: torch.Generator,
    rest: torch.Generator,
    device: torch.device | str = "cpu",
) -> Sample:
    """Draw n Gaussian points whose hidden coordinates z and label noise come from a stream of their own.

    With the same ``latent`` stream two dimensions d see the same z and the same labels, and differ only in the
    coordinates that do not matter: common random numbers, which take the luck of the draw out of a comparison over d.

    Args:
        target: f*, a polynomial.
        n: number of points.
        noise: standard deviation of the label noise.
        latent: source of z and of the label noise.
        rest: source of the other coordinates.
        device: where the sample is to lie.

    Raises:
        BadParameter: if n is below 1 or noise is negative.

    Chapter: frozen_representation.
    """
    Z = gaussian(n, target.frame.shape[1], latent).to(device)
    X = gaussian(n, target.dim, rest).to(device)
    frame = target.frame.to(X)
    X = X + (Z - X @ frame) @ frame.T
    truth = target(X)
    return Sample(X, noisy(truth, noise, latent), truth)


def draw_problem(
    task: Task,
    n: int,
    noise: float,
    seed: int,
    law: Law | None = None,
    n_test: int = 10_000,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
) -> Problem:
    """Draw a training and a test sample from two independent streams of one seed.

    The test sample depends on seed and d alone: all learners at all sample sizes are scored on the same points.

    Args:
        task: f*; the points of a pair of arrays fall into two disjoint parts.
        n: number of training points; every label that a learner sees is one of them.
        noise: standard deviation of the label noise that is added; 0 for a pair of arrays, whose labels have theirs.
        seed: of both streams.
        law: of the inputs, by name or as a sampler; where it is left out, the task's own, or Gaussian.
        n_test: points on which risks are measured; a polynomial has heavy tails, so thousands.
        dtype: a floating-point dtype.
        device: where the samples are to lie.

    Raises:
        BadParameter: as ``draw_sample``.

    Chapter: one_step.

    >>> from beyond_kernel.foundations.targets.target import parse_target
    >>> problem = draw_problem(parse_target("z1*z2", 5), n=50, noise=0.1, seed=0, n_test=30)
    >>> len(problem.train), len(problem.test)
    (50, 30)
    """
    if isinstance(check_task(task), ArrayTask):
        # the labels of the test points are what predictions are held against: no noise is added to them
        test, train = _rows(task, [n_test, n], [0.0, noise], generator_for(seed, "rows"))
        return Problem(train, test, task)
    train = draw_sample(task, n, noise, generator_for(seed, "train", n, task.dim), law, dtype, device)
    test = draw_sample(task, n_test, noise, generator_for(seed, "test", task.dim), law, dtype, device)
    return Problem(train, test, task, law)


def _rows(task: ArrayTask, sizes: list[int], noises: list[float], generator: torch.Generator) -> list[Sample]:
    """Draw disjoint samples among the points of a pair of arrays."""
    wanted = sum(whole_number("n", size) for size in sizes)
    if wanted > len(task.y):
        raise BadParameter(
            f"{' + '.join(map(str, sizes))} points are asked for, and the arrays hold {len(task.y)}: give a smaller n "
            "or n_test."
        )
    order = torch.randperm(len(task.y), generator=generator, device=generator.device)
    parts = [rows.to(task.X.device) for rows in order[:wanted].split(sizes)]
    return [
        Sample(task.X[rows], noisy(task.y[rows], noise, generator)) for rows, noise in zip(parts, noises, strict=True)
    ]
