"""Families of yes-or-no tasks against enumeration of all their functions, brute force and Monte Carlo."""

import collections
import itertools
import math

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.many_tasks import linear_part, quadratic_part
from beyond_kernel.transfer.sign_tasks import (
    FAMILIES,
    KINDS,
    SIZES,
    SignTask,
    linear_energy,
    linear_strength,
    relevant_directions,
    sign_patterns,
    sign_tasks,
    task_of_kind,
    visible_directions,
)

PATTERNS = {r: list(itertools.product([-1, 1], repeat=r)) for r in (2, 3)}


def every_function(family, r):
    """Return all functions of a family as dictionaries from signs to answers, each as likely as any other."""
    points = PATTERNS[r]
    if family == "parities":
        sets = [chosen for k in range(1, r + 1) for chosen in itertools.combinations(range(r), k)]
        return [{s: sign * math.prod(s[i] for i in chosen) for s in points} for chosen in sets for sign in (-1, 1)]
    found = []
    for answers in itertools.product([-1, 1], repeat=2**r):
        g = dict(zip(points, answers, strict=True))
        mirrored = [g[tuple(-i for i in s)] * g[s] for s in points]
        allowed = {"balanced": True, "odd": set(mirrored) == {-1}, "even": set(mirrored) == {1}}
        if sum(answers) == 0 and allowed[family]:
            found.append(g)
    return found


def as_dictionary(task, r):
    """Return the answers of a task by signs, read off points whose hidden coordinates are these signs."""
    points = PATTERNS[r]
    X = torch.tensor(points, dtype=torch.float64) @ task.directions.T
    return dict(zip(points, [int(y) for y in task(X)], strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_task_answers_by_the_signs_of_its_coordinates(dtype):
    task = sign_tasks("balanced", 12, 3, 1, generator_for(0), seed=0)[0]
    X = torch.randn(60, 12, generator=generator_for(1), dtype=dtype)
    for x, y in zip(X.double(), task(X), strict=True):
        number = sum(2**i for i in range(3) if float(x @ task.directions[:, i]) > 0)
        assert y == task.answers[number] and y.dtype == dtype


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_draws_each_of_its_functions_equally_often(family):
    """Counts are binomial: 4.5 standard deviations leave room for 70 of them at once."""
    wanted, draws = every_function(family, 3), 7000
    drawn = sign_tasks(family, 4, 3, draws, generator_for(2), seed=0)
    counts = collections.Counter(tuple(task.answers.tolist()) for task in drawn)
    tasks = {tuple(task.answers.tolist()): task for task in drawn}
    found = {tuple(sorted(as_dictionary(tasks[answers], 3).items())) for answers in counts}
    assert found == {tuple(sorted(g.items())) for g in wanted}
    expected = draws / len(wanted)
    assert max(abs(count - expected) for count in counts.values()) < 4.5 * math.sqrt(expected)


@pytest.mark.parametrize("r", [2, 3])
@pytest.mark.parametrize("family", FAMILIES)
def test_linear_strength_is_the_mean_over_all_functions(family, r):
    """E y z_i = sqrt(2/pi) E g s_i, and E b_i b_j = 0: enumerated."""
    rows = [[sum(g[s] * s[i] for s in g) / 2**r for i in range(r)] for g in every_function(family, r)]
    second = torch.tensor(rows, dtype=torch.float64).T @ torch.tensor(rows, dtype=torch.float64) / len(rows)
    wanted = linear_strength(family, r) * torch.eye(r, dtype=torch.float64)
    assert torch.allclose(2 / math.pi * second, wanted, atol=1e-12)


def test_a_task_that_is_a_sign_has_the_linear_part_of_a_half_normal_variable():
    """E |z| = sqrt(2/pi): the linear part of sign z1 has mean square 2/pi = 0.637, here by Monte Carlo."""
    task = task_of_kind("one sign", 5, seed=0)
    X = torch.randn(200_000, 5, generator=generator_for(3), dtype=torch.float64)
    found = float(linear_part(X, task(X)).square().sum())
    assert abs(found - 2 / math.pi) < 0.01 and linear_energy(task) == pytest.approx(2 / math.pi)


@pytest.mark.parametrize("kind", KINDS)
def test_visible_directions_and_linear_energy_are_those_of_a_large_sample(kind):
    """Coefficients are 0 or at least (2/pi)/4 = 0.16; 400,000 points leave errors of 0.005 in each."""
    task = task_of_kind(kind, 3, seed=1)
    X = torch.randn(400_000, 3, generator=generator_for(4), dtype=torch.float64)
    b, Q = linear_part(X, task(X)), quadratic_part(X, task(X))
    sizes = torch.linalg.svdvals(torch.cat([b[:, None], 2 * Q], dim=1))
    assert int((sizes > 0.05).sum()) == visible_directions(task)
    assert abs(float(b.square().sum()) - linear_energy(task)) < 0.01


def test_a_task_that_always_says_yes_shows_no_direction():
    task = SignTask(torch.eye(4, dtype=torch.float64)[:, :2], torch.ones(4, dtype=torch.float64))
    assert visible_directions(task) == 0 == relevant_directions(task) == linear_energy(task) == task.variance


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_depends_on_a_sign_that_changes_its_answer(kind):
    g = as_dictionary(task_of_kind(kind, 3, seed=0), 3)
    flipped = [any(g[s] != g[s[:i] + (-s[i],) + s[i + 1 :]] for s in g) for i in range(3)]
    assert relevant_directions(task_of_kind(kind, 3, seed=0)) == sum(flipped)


def test_six_kinds_make_all_balanced_functions_of_three_signs():
    orbits = {}
    for kind in KINDS:
        g = as_dictionary(task_of_kind(kind, 3, seed=0), 3)
        moves = itertools.product(itertools.permutations(range(3)), PATTERNS[3], [-1, 1])
        orbits[kind] = {
            tuple(out * g[tuple(s[p[i]] * f[i] for i in range(3))] for s in PATTERNS[3]) for p, f, out in moves
        }
    assert {kind: len(orbit) for kind, orbit in orbits.items()} == SIZES
    assert len(set().union(*orbits.values())) == 70 == math.comb(8, 4)


def test_patterns_are_all_different_signs():
    assert {tuple(map(int, row)) for row in sign_patterns(3)} == set(PATTERNS[3])


def test_directions_are_shared_and_depend_on_the_seed():
    first, second = sign_tasks("odd", 9, 2, 2, generator_for(5), seed=3)
    other = sign_tasks("odd", 9, 2, 1, generator_for(5), seed=4)[0]
    assert torch.equal(first.directions, second.directions) and not torch.equal(first.directions, other.directions)
    assert first.dim == 9 and first.variance == 1.0


@pytest.mark.parametrize(
    "call",
    [
        lambda: sign_tasks("odds", 10, 2, 2, generator_for(0), 0),
        lambda: sign_tasks("balanced", 10, 0, 2, generator_for(0), 0),
        lambda: sign_tasks("balanced", 10, 9, 2, generator_for(0), 0),
        lambda: sign_tasks("balanced", 3, 4, 2, generator_for(0), 0),
        lambda: sign_tasks("even", 10, 1, 2, generator_for(0), 0),
        lambda: sign_tasks("balanced", 10, 2, 0, generator_for(0), 0),
        lambda: task_of_kind("minority", 10, 0),
        lambda: task_of_kind("majority", 2, 0),
        lambda: linear_strength("balanced", 9),
        lambda: linear_strength("any", 3),
        lambda: sign_patterns(0),
        lambda: SignTask(torch.eye(3, dtype=torch.float64), torch.ones(4, dtype=torch.float64)),
        lambda: SignTask(torch.eye(2, dtype=torch.float64), torch.zeros(4, dtype=torch.float64)),
    ],
)
def test_bad_input_ends_in_one_sentence(call):
    with pytest.raises(BadParameter, match="must be|must have"):
        call()
