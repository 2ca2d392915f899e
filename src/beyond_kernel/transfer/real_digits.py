"""Problems made of labelled rows: a class to be told, alone or among distractors, and two tasks for transfer.

The labelled row is the first of c tiles; the others are rows drawn without regard to the label. What is to be learnt
has not changed, but only one tile in c matters.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from beyond_kernel.checks import BadParameter, one_of, whole_number
from beyond_kernel.foundations.learning.samples import Problem, Sample
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.digit_data import LabelledRows

MOST_TEST = 1000
"""Rows kept for testing, or a fifth of all where that is less."""
BESIDE = ("images", "noise")
"""The tiles beside the labelled one hold other rows, or Gaussian noise of the same mean square an entry."""
QUESTIONS = ("class", "odd")
"""The label is the class itself, or whether its number is odd."""


@dataclass(frozen=True)
class ClassProblem(Problem):
    """A problem with several outputs: the labels of both samples are of shape (n, k), one column a class.

    Attributes:
        unlabelled: inputs whose labels nobody sees, of shape (pool, d); training inputs are among them.
        tiles: number c of equal parts of an input, of which the first is labelled.
    """

    unlabelled: torch.Tensor | None = None
    tiles: int = 1


def split_rows(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the places of the rows to test on, and of the pool that all samples are drawn from, in random order.

    Args:
        count: number of rows N.
        seed: of the order.

    Chapter: real_digits.

    >>> [len(part) for part in split_rows(200, 0)]
    [40, 160]
    """
    order = torch.randperm(whole_number("count", count), generator=generator_for(seed, "rows"), device="cpu")
    return order.tensor_split([min(MOST_TEST, count // 5)])


def pool_size(data: LabelledRows) -> int:
    """Return the number of rows that are not kept for testing. Chapter: real_digits."""
    return len(data.labels) - min(MOST_TEST, len(data.labels) // 5)


def check_sizes(
    data: LabelledRows, seeds: Sequence[int], *, sizes: Sequence[int], sizes_target: Sequence[int], rows: int
) -> None:
    """Refuse numbers of labels that do not ascend, or for which there are too few rows.

    Args:
        data: rows with classes.
        seeds: of the orders of the rows.
        sizes: numbers of labels.
        sizes_target: numbers of labels of the second of two tasks, see ``draw_transfer``.
        rows: behind a learning curve.

    Raises:
        BadParameter: with the number that does not fit and what there is.

    Chapter: real_digits.
    """
    least = min(_labels_of_second(data, seed) for seed in seeds)
    for name, given, most in (("sizes", sizes, pool_size(data)), ("sizes_target", sizes_target, least)):
        if sorted(set(given)) != list(given):
            raise BadParameter(f"{name} = {list(given)} is not accepted: the numbers must ascend.")
        whole_number(f"{name}[-1]", given[-1], most=most)
    whole_number("rows", rows, most=pool_size(data))


def draw_classes(
    data: LabelledRows, n: int, tiles: int, seed: int, *, beside: str = "images", question: str = "class",
    device: torch.device | str = "cpu",
) -> ClassProblem:  # fmt: skip
    """Draw n labelled inputs of c tiles, and the inputs on which all learners are scored, at every n the same.

    Tiles beside the labelled one come from the pool in training and from the rows kept for testing in the test; the
    labels of their rows are not used. A smaller sample is the beginning of a larger one.

    Args:
        data: rows with classes.
        n: number of labels.
        tiles: c, at least 1; with 1 the rows stand alone.
        seed: of everything drawn.
        beside: one of ``BESIDE``.
        question: one of ``QUESTIONS``.
        device: where everything is to lie.

    Raises:
        BadParameter: if n is more than there is, or an option is unknown.

    Chapter: real_digits.
    """
    whole_number("n", n, most=pool_size(data))
    test, pool = split_rows(len(data.labels), seed)
    outputs = one_hot(data, question)
    one_of("beside", beside, BESIDE)
    test_X, pool_X = (
        _tiled(data, part, part, tiles, beside, seed, role) for part, role in ((test, "test"), (pool, "pool"))
    )
    train = Sample(pool_X[:n].to(device), outputs[pool[:n]].to(device))
    return ClassProblem(
        train, Sample(test_X.to(device), outputs[test].to(device)), unlabelled=pool_X.to(device), tiles=tiles
    )


def draw_transfer(
    data: LabelledRows, tiles: int, n_source: int, seed: int, *, device: torch.device | str = "cpu"
) -> tuple[ClassProblem, ClassProblem]:
    """Return a problem over the first half of the classes, and one over the other half, on the same kind of tiles.

    The second has all labels of its classes in the pool; whoever takes N of them takes the first. Below four classes
    both problems have all classes, and the labelled rows of the two are disjoint halves of the pool.

    Args:
        data: rows with classes.
        tiles: c, at least 1.
        n_source: most labels of the first problem.
        seed: of everything drawn.
        device: where everything is to lie.

    Raises:
        BadParameter: if a number is out of range.

    Chapter: real_digits.
    """
    whole_number("n_source", n_source)
    test, pool = split_rows(len(data.labels), seed)
    problems = []
    for name, (classes, rows) in zip(("source", "target"), _halves(data, pool), strict=True):
        kept = [part[torch.isin(torch.as_tensor(data.labels[part], device="cpu"), classes)] for part in (rows, test)]
        train = kept[0][:n_source] if name == "source" else kept[0]
        outputs = one_hot(data, "class")[:, classes]
        train_X = _tiled(data, train, pool, tiles, "images", seed, name)
        test_X = _tiled(data, kept[1], test, tiles, "images", seed, f"{name} test")
        samples = (Sample(X.to(device), outputs[part].to(device)) for X, part in ((train_X, train), (test_X, kept[1])))
        problems.append(ClassProblem(*samples, unlabelled=train_X.to(device), tiles=tiles))
    return problems[0], problems[1]


def one_hot(data: LabelledRows, question: str) -> torch.Tensor:
    """Return the outputs to be learnt, a column of zeros and ones for each class, of shape (N, k).

    Args:
        data: rows with classes.
        question: "class", or "odd" for two columns, even and odd numbers of classes.

    Raises:
        BadParameter: if the question is unknown.

    Chapter: real_digits.
    """
    labels = torch.as_tensor(data.labels, device="cpu")
    if one_of("question", question, QUESTIONS) == "odd":
        return torch.nn.functional.one_hot(labels % 2, 2).to(torch.float64)
    return torch.nn.functional.one_hot(labels, len(data.names)).to(torch.float64)


def _labels_of_second(data: LabelledRows, seed: int) -> int:
    classes, rows = _halves(data, split_rows(len(data.labels), seed)[1])[1]
    return int(np.isin(data.labels[rows], classes).sum())


def _halves(data: LabelledRows, pool: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return for source and target the classes, and the rows of the pool that may be labelled."""
    classes = torch.arange(len(data.names), device="cpu")
    if len(classes) < 4:
        return [(classes, rows) for rows in pool.tensor_split(2)]
    return [(part, pool) for part in classes.tensor_split(2)]


def _tiled(
    data: LabelledRows, first: torch.Tensor, others: torch.Tensor, tiles: int, beside: str, seed: int, role: str
) -> torch.Tensor:
    """Return inputs of c tiles: the rows in ``first``, and beside them rows drawn among ``others``, or noise."""
    whole_number("tiles", tiles, most=16)
    rows = torch.as_tensor(data.rows, device="cpu")
    parts, generator = [rows[first]], generator_for(seed, "beside", role, tiles)
    for _ in range(tiles - 1):
        if beside == "images":
            drawn = torch.randint(len(others), (len(first),), generator=generator, device="cpu")
            parts.append(rows[others[drawn]])
        else:
            noise = torch.randn(len(first), rows.shape[1], generator=generator, dtype=rows.dtype, device="cpu")
            parts.append(noise * rows.square().mean().sqrt())
    return torch.cat(parts, 1)
