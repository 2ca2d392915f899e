"""What is to be learnt: the form of a task, and the task that a reader brings as a pair of arrays."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from beyond_kernel.checks import BadParameter, matrix, vector


@runtime_checkable
class Task(Protocol):
    """Anything with these four is a task: polynomial, teacher network, single index, ball indicator, or one's own.

    Attributes:
        dim: dimension d of the inputs.
        directions: orthonormal basis of the relevant subspace, of shape (d, r); None where there is none.
        variance: Var f, under the inputs that the task is made for.
    """

    dim: int

    @property
    def directions(self) -> torch.Tensor | None: ...

    @property
    def variance(self) -> float: ...

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return the values at the rows of X, of shape (n,), dtype and device of X."""
        ...


@dataclass(frozen=True, eq=False)
class ArrayTask:
    """A task known only at some points: ``draw_sample`` and ``draw_problem`` draw among them without replacement.

    Attributes:
        X: inputs, of shape (n, d).
        y: labels, of shape (n,), dtype and device of X.
    """

    X: torch.Tensor
    y: torch.Tensor

    def __post_init__(self) -> None:
        vector("y", self.y, len(matrix("X", self.X)))
        if (self.y.dtype, self.y.device) != (self.X.dtype, self.X.device):
            raise BadParameter(f"y is {self.y.dtype} on {self.y.device} and X {self.X.dtype} on {self.X.device}.")

    @property
    def dim(self) -> int:
        """Dimension of the inputs."""
        return self.X.shape[1]

    @property
    def directions(self) -> None:
        """Nothing is known of a relevant subspace."""
        return None

    @property
    def variance(self) -> float:
        """Variance of the labels, their noise included."""
        return float(self.y.var(correction=0))

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Refuse: values are known at the given points only."""
        raise BadParameter("the task is a pair of arrays: it has no values at other inputs; draw samples from it.")


def task_from_arrays(X: Any, y: Any) -> ArrayTask:
    """Return the task that a reader's own arrays make.

    Args:
        X: inputs, numpy or torch, of shape (n, d); whole numbers become float64.
        y: labels, of shape (n,) or (n, 1).

    Raises:
        BadParameter: if shapes do not fit or an entry is not finite.
        TypeError: if they are no arrays of numbers.

    Chapter: all that compare learners.

    >>> task_from_arrays([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [1, 0, 1]).dim
    2
    """
    inputs, labels = _tensor("X", X), _tensor("y", y)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    return ArrayTask(inputs, labels.to(inputs))


def check_task(task: Any) -> Task:
    """Return ``task`` if it has what a task has.

    Raises:
        TypeError: otherwise, with what is missing.
    """
    wanted = ("dim", "directions", "variance", "__call__")
    if missing := [name for name in wanted if not hasattr(task, name)]:
        raise TypeError(
            f"task {task!r:.60} has no {', '.join(missing)}: a task has dim, directions (or None), variance, "
            "and values at X when it is called; parse_target makes one of a text, task_from_arrays of a pair of arrays."
        )
    return task


def _tensor(name: str, array: Any) -> torch.Tensor:
    """Return a floating-point tensor; what is none is copied: it may be read-only, run backwards or change later."""
    refusal = f"{name} is of type {type(array).__name__}: it must be an array of numbers."
    try:
        found = array if isinstance(array, torch.Tensor) else torch.as_tensor(np.array(array), device="cpu")
    except (TypeError, ValueError) as error:
        raise TypeError(refusal) from error
    if found.is_complex():
        raise TypeError(refusal)
    return found if found.is_floating_point() else found.to(torch.float64)
