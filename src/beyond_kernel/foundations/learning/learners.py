"""The form of a learner: a function from a problem and a generator to a predictor, known by one label everywhere.

A learner may take options of its own by keyword (a width, a bias); ``functools.partial`` sets them. There is no list of
all learners: each stands in the room of its method, and a reader's own function is as good as any.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning.measures import Estimate, risk
from beyond_kernel.foundations.learning.samples import Problem

Predictor = Callable[[torch.Tensor], torch.Tensor]
"""A function from inputs of shape (n, d) to predictions of shape (n,)."""
Learner = Callable[..., Predictor]
"""A function from a ``Problem`` and a ``torch.Generator`` to a predictor."""


def labelled(label: str) -> Callable[[Learner], Learner]:
    """Return a decorator that gives a learner the label by which figures, tables and ``sample_costs`` know it.

    Args:
        label: words in lower case.

    >>> @labelled("mean of the labels")
    ... def fit_mean(problem, generator):
    ...     return lambda X: problem.train.y.mean().expand(len(X))
    >>> label_of(fit_mean)
    'mean of the labels'
    """

    def give(learner: Learner) -> Learner:
        learner.label = label
        return learner

    return give


def label_of(learner: Learner) -> str:
    """Return the label of a learner, whatever options are set; a function without one is known by its name.

    Args:
        learner: a function, or a ``functools.partial`` of one.

    Raises:
        TypeError: if it is no function.
    """
    if not callable(learner):
        raise TypeError(
            f"learner = {learner!r:.60} is not accepted: it must be a function of a problem and a generator."
        )
    while isinstance(learner, functools.partial) and not hasattr(learner, "label"):
        learner = learner.func
    name = getattr(learner, "__name__", type(learner).__name__)
    return getattr(learner, "label", None) or name.replace("_", " ")


def risk_of(learner: Learner, problem: Problem, generator: torch.Generator) -> Estimate:
    """Train a learner on a problem and return its risk E (f - f*)^2 / Var f* on the test points.

    Where nobody knows the truth, the labels stand for f*, their noise included.

    Args:
        learner: what is trained.
        problem: training and test samples.
        generator: source of whatever the learner draws.

    Raises:
        TypeError: if it is no learner: no function, or its predictor returns no tensor.
        BadParameter: if its predictions have another shape than the labels, or are not finite.

    Chapters: one_step, frozen_representation.

    >>> from beyond_kernel.foundations.learning.samples import draw_problem
    >>> from beyond_kernel.foundations.targets.target import parse_target
    >>> problem = draw_problem(parse_target("z1", 5), n=50, noise=0.1, seed=0)
    >>> nothing = lambda problem, generator: lambda X: torch.zeros_like(X[:, 0])
    >>> round(risk_of(nothing, problem, torch.Generator()).value)  # E f^2 = 1
    1
    """
    label_of(learner)
    predictor = learner(problem, generator)
    if not callable(predictor):
        raise TypeError(f"learner {label_of(learner)!r} returned {predictor!r:.60}: it must return a predictor.")
    prediction = _checked(label_of(learner), predictor(problem.test.X), problem)
    return risk(prediction, problem.test.reference, problem.variance)


def _checked(label: str, prediction: Any, problem: Problem) -> torch.Tensor:
    if not isinstance(prediction, torch.Tensor):
        raise TypeError(f"the predictor of {label!r} returned {type(prediction).__name__}: it must return a tensor.")
    if not bool(torch.isfinite(prediction).all()):
        raise BadParameter(f"the predictor of {label!r} returned entries that are not finite.")
    if prediction.shape != problem.test.y.shape:
        shape, wanted = tuple(prediction.shape), tuple(problem.test.y.shape)
        raise BadParameter(f"the predictor of {label!r} returned shape {shape}: it must return shape {wanted}.")
    return prediction
