"""Learners with one output a class, all tuned by one rule: choose on a fifth of the sample, then fit to all of it.

All of them but the trained network are ridge regression with a kernel: one that is fixed, one of frozen neurons, one of
neurons after a gradient step, one whose metric is learnt from the labels.
"""

import functools
from collections.abc import Callable

import torch

from beyond_kernel.checks import BadParameter, matrix, whole_number
from beyond_kernel.foundations.learning.held_out import split_fifth
from beyond_kernel.foundations.learning.samples import Sample
from beyond_kernel.transfer.digit_machines import (
    SCALES,
    Family,
    Kernel,
    Machine,
    choose,
    fit_machine,
    gaussian_family,
    gradient_outer_product,
    tuned_machine,
)
from beyond_kernel.transfer.digit_measures import root_of
from beyond_kernel.transfer.real_digits import ClassProblem

LINEAR_PENALTIES = tuple(10.0 ** (k / 3 - 4) for k in range(16))
"""The linear model has no scale to choose, and as many candidates as the others all the same."""
COMPONENTS = (10, 20, 40, 80)
"""Candidates for the number of principal components."""
WIDTH = 1000
"""Neurons of random features and of one step."""
ROUNDS = 2
"""Times that recursive features learn their metric."""


def fit_linear(problem: ClassProblem, generator: torch.Generator) -> Machine:
    """Fit a linear model by ridge regression. Chapter: real_digits."""
    return tuned_machine(problem.train, _linear_family, generator, LINEAR_PENALTIES)


def fit_gaussian(problem: ClassProblem, generator: torch.Generator) -> Machine:
    """Fit a Gaussian kernel, its length in units of the median distance of two inputs. Chapter: real_digits."""
    return tuned_machine(problem.train, gaussian_family, generator)


def fit_components(problem: ClassProblem, generator: torch.Generator) -> Machine:
    """Fit a Gaussian kernel on the principal components of all inputs of the pool, labelled or not.

    Args:
        problem: its training sample, and the inputs without labels.
        generator: source of the fifth on which number of components, length and penalty are chosen.

    Chapter: real_digits.
    """
    vectors = torch.linalg.eigh(torch.cov(problem.unlabelled.T)).eigenvectors.flip(1)
    counts = sorted({min(count, vectors.shape[1]) for count in COMPONENTS})

    def family(train: Sample) -> list[Kernel]:
        return [kernel for count in counts for kernel in gaussian_family(train, vectors[:, :count])]

    return tuned_machine(problem.train, family, generator)


def fit_random_neurons(problem: ClassProblem, generator: torch.Generator) -> Machine:
    """Fit a head on frozen random neurons, the size of their biases chosen. Chapter: real_digits."""
    return tuned_machine(problem.train, _neuron_family(problem, generator, moved=False), generator)


def fit_step(problem: ClassProblem, generator: torch.Generator) -> Machine:
    """Fit a head on neurons that point along the first gradient of a network with one random output weight a class.

    This is one step of full-batch gradient descent that erases the start, as in Algorithm 1 of the book. The mean of
    the labels is taken off and their linear part left in: it carries most of what tells digits apart.

    Args:
        problem: its training sample, all of which serves both the step and the head.
        generator: source of the neurons and of the fifth.

    Source: after Damian, Lee, Soltanolkotabi 2022, Algorithm 1. Chapter: real_digits.
    """
    return tuned_machine(problem.train, _neuron_family(problem, generator, moved=True), generator)


def fit_recursive(problem: ClassProblem, generator: torch.Generator, rounds: int = ROUNDS) -> Machine:
    """Fit a Gaussian kernel, take the root of its average gradient outer product for the next metric, and so on.

    Length, penalty and number of rounds are chosen on a fifth of the sample. Then all rounds run again on all rows:
    a metric from the others fits them better than the fifth, and a kernel in it fails when the fifth is added.

    Args:
        problem: its training sample.
        generator: source of the fifth.
        rounds: most times that the metric is learnt.

    Returns:
        The machine; ``seen_metric`` gives its metric.

    Raises:
        BadParameter: if rounds is negative.

    Source: Radhakrishnan, Beaglehole, Pandit, Belkin 2024; with the power 1/2 on the average. Chapter: real_digits.
    """
    whole_number("rounds", rounds, least=0)
    kept, held = split_fifth(problem.train, generator)
    choices, root = [], _identity(problem.train.X)
    for left in range(rounds, -1, -1):
        kernels = gaussian_family(kept, root)
        choices.append(choose(kept, held, kernels))
        if left:
            root = _next_root(fit_machine(kept, kernels[choices[-1].place], choices[-1].penalty))
    last = min(range(rounds + 1), key=lambda number: choices[number].loss)
    root = _identity(problem.train.X)
    for number, choice in enumerate(choices[: last + 1]):
        machine = fit_machine(problem.train, gaussian_family(problem.train, root)[choice.place], choice.penalty)
        root = _next_root(machine) if number < last else root
    return machine


def seen_metric(predictor: Callable) -> torch.Tensor:
    """Return the metric in which a machine or a network sees its inputs: root root', or W'W of its first layer.

    Args:
        predictor: what ``fit_recursive``, ``fit_step`` or ``fit_network`` returned.

    Returns:
        A matrix of shape (d, d).

    Raises:
        BadParameter: if it sees inputs as they are.

    Chapter: real_digits.
    """
    options = getattr(getattr(predictor, "kernel", None), "keywords", {})
    W = options.get("W", getattr(predictor, "W", None))
    root = options.get("root")
    if W is None and root is None:
        raise BadParameter(f"predictor {predictor!r:.60} must have a first layer or a metric of its own.")
    return root @ root.T if W is None else W.T @ W


def step_directions(X: torch.Tensor, outputs: torch.Tensor, W: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    """Return the unit directions along which the first step moves ReLU neurons w_j with output weights a_j in R^k.

    They are those of sum_i <a_j, y_i - mean y> x_i 1{w_j . x_i >= 0}, the gradient of the loss at a network whose
    output is zero, with inputs less their mean.

    Args:
        X: inputs less their mean, of shape (n, d).
        outputs: labels, of shape (n, k).
        W: neurons, of shape (m, d).
        a: output weights, of shape (m, k).

    Returns:
        Directions, of shape (m, d); a neuron without a gradient has 0.

    Raises:
        BadParameter: if shapes do not fit.

    Source: Damian, Lee, Soltanolkotabi 2022, Algorithm 1, line 5, for several outputs. Chapter: real_digits.
    """
    n, d = matrix("X", X).shape
    k = matrix("outputs", outputs).shape[1]
    if len(outputs) != n:
        raise BadParameter(f"outputs has {len(outputs)} rows: it must have {n}, one for each input.")
    m = len(matrix("W", W, d))
    if len(matrix("a", a, k)) != m:
        raise BadParameter(f"a has {len(a)} rows: it must have {m}, one for each neuron.")
    pulls = ((outputs - outputs.mean(0)) @ a.T) * (X @ W.T >= 0)
    steps = pulls.T @ X
    return steps / steps.norm(dim=1, keepdim=True).clamp(min=torch.finfo(steps.dtype).tiny)


def _linear_family(train: Sample) -> list[Kernel]:
    return [functools.partial(_linear_kernel, mean=train.X.mean(0))]


def _linear_kernel(X: torch.Tensor, Z: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
    return (X - mean) @ (Z - mean).T / X.shape[1]


def _neuron_family(problem: ClassProblem, generator: torch.Generator, moved: bool) -> Family:
    """Return the family of one draw of neurons, which stand or are moved by the sample that is fitted."""
    X, k = problem.train.X, problem.train.y.shape[1]
    draws = (
        torch.randn(WIDTH, size, generator=generator, dtype=torch.float64, device="cpu") for size in (X.shape[1], k, 1)
    )
    start, heads, b = (draw.to(X) for draw in draws)
    start = start / start.norm(dim=1, keepdim=True)

    def family(train: Sample) -> list[Kernel]:
        mean = train.X.mean(0)
        W = step_directions(train.X - mean, train.y, start, heads) if moved else start
        size = float(((train.X - mean) @ W.T).square().mean().sqrt()) or 1.0
        options = {"W": W / size, "mean": mean}
        return [functools.partial(_neuron_kernel, b=scale * b[:, 0], **options) for scale in SCALES]

    return family


def _neuron_kernel(
    X: torch.Tensor, Z: torch.Tensor, W: torch.Tensor, b: torch.Tensor, mean: torch.Tensor
) -> torch.Tensor:
    left, right = (((inputs - mean) @ W.T + b).relu_() for inputs in (X, Z))
    return left @ right.T / len(W)


def _identity(X: torch.Tensor) -> torch.Tensor:
    return torch.eye(X.shape[1], dtype=X.dtype, device=X.device)


def _next_root(machine: Machine) -> torch.Tensor:
    """Return the root of the next metric, itself the root of the average gradient outer product, both of trace d."""
    options = machine.kernel.keywords
    root = options["root"]
    seen = gradient_outer_product(machine.X @ root, machine.dual, options["length"])
    return root_of(root @ seen @ root.T, power=0.25)
