"""A task is known by what it has, and a reader's arrays become one whatever they are kept in."""

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.exponents.single_index import single_index
from beyond_kernel.foundations.inputs.balls import BallIndicator
from beyond_kernel.foundations.learning.tasks import Task, check_task, task_from_arrays
from beyond_kernel.foundations.learning.teachers import relu_teacher
from beyond_kernel.foundations.targets.target import parse_target

ROWS = [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [2.0, 0.5]]
LABELS = [1.0, -2.0, 0.0, 3.0]


@pytest.mark.parametrize(
    "make",
    [list, tuple, np.array, torch.tensor, lambda rows: np.array(rows, dtype=np.float32),
     lambda rows: torch.tensor(rows, dtype=torch.float32), lambda rows: np.array(rows, order="F"),
     lambda rows: np.array(rows[::-1])[::-1]],
)  # fmt: skip
def test_arrays_of_any_kind_become_the_same_task(make):
    task = task_from_arrays(make(ROWS), make(LABELS))
    assert task.X.tolist() == ROWS and task.y.tolist() == LABELS
    assert task.dim == 2 and task.directions is None
    assert task.variance == pytest.approx(np.var(LABELS))
    assert isinstance(check_task(task), Task)


def test_precision_follows_the_inputs_and_whole_numbers_are_doubles():
    single = task_from_arrays(np.array(ROWS, dtype=np.float32), LABELS)
    assert single.X.dtype == single.y.dtype == torch.float32
    for whole in ([[1, 2], [3, 4]], np.array([[1, 2], [3, 4]], dtype=np.int32), torch.tensor([[1, 2], [3, 4]])):
        counted = task_from_arrays(whole, [True, False])
        assert counted.X.dtype == counted.y.dtype == torch.float64
        assert counted.X.tolist() == [[1.0, 2.0], [3.0, 4.0]] and counted.y.tolist() == [1.0, 0.0]


def test_a_column_of_labels_is_a_vector():
    assert task_from_arrays(ROWS, np.array(LABELS)[:, None]).y.shape == (4,)


def test_the_reader_s_array_may_change_afterwards_or_be_read_only():
    X, y = np.array(ROWS), np.array(LABELS)
    task = task_from_arrays(X, y)
    X[:], y[:] = 9.0, 9.0
    assert task.X.tolist() == ROWS and task.y.tolist() == LABELS
    y.flags.writeable = False
    assert task_from_arrays(ROWS, y).variance == 0


def test_values_at_other_inputs_are_not_made_up():
    with pytest.raises(BadParameter, match="no values at other inputs; draw samples"):
        task_from_arrays(ROWS, LABELS)(torch.ones(1, 2))


@pytest.mark.parametrize(
    ("X", "y", "told"),
    [
        (ROWS, LABELS[:3], r"y has shape \(3,\): it must have shape \(4,\)"),
        (ROWS, [LABELS], r"y has shape \(1, 4\)"),
        (LABELS, LABELS, r"X has shape \(4,\)"),
        (np.zeros((0, 2)), [], r"X has shape \(0, 2\)"),
        ([[0.0, np.nan]], [1.0], "X holds 1 entries that are not finite"),
        ([[0.0, 1.0]], [np.inf], "y holds 1 entries that are not finite"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_with_a_sentence(X, y, told):
    with pytest.raises(BadParameter, match=told):
        task_from_arrays(X, y)


@pytest.mark.parametrize(
    "X", [[["a", "b"]], [[1.0], [1.0, 2.0]], {"x": 1}, None, [[object()]], [[1j, 2.0]], torch.ones(1, 2) * 1j]
)
def test_what_is_no_array_of_numbers_is_refused_with_a_sentence(X):
    with pytest.raises(TypeError, match="X is of type .*: it must be an array of numbers"):
        task_from_arrays(X, [1.0])


@pytest.mark.parametrize(
    "task",
    [parse_target("z1*z2", 5), relu_teacher(2, 5, 0), single_index("tanh", 5), BallIndicator(5, 1.0, "two spheres")],
    ids=lambda task: type(task).__name__,
)
def test_all_kinds_of_tasks_have_what_a_task_has(task):
    assert check_task(task) is task and isinstance(task, Task)
    X = torch.randn(7, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert task.dim == 5 and task(X).shape == (7,) and task(X).dtype == torch.float64
    assert task(X.float()).dtype == torch.float32
    assert task.variance > 0
    if task.directions is not None:
        gram = task.directions.T @ task.directions
        assert torch.allclose(gram, torch.eye(len(gram), dtype=torch.float64), atol=1e-12)
    with pytest.raises(BadParameter, match="X has shape"):
        task(X[:, :4])


def test_what_is_no_task_is_told_what_it_lacks():
    with pytest.raises(TypeError, match="has no dim, directions, variance: a task has dim"):
        check_task(torch.sin)
    with pytest.raises(TypeError, match="'z1' has no dim, directions, variance, __call__"):
        check_task("z1")
