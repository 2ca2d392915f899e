"""The three stages: each against differences of the loss, cases by hand, invariances and the measures by hand."""

import math

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.absolute_teacher import drawn_teacher, plane_teacher
from beyond_kernel.feature_learning.local_recovery import (
    DECAYS,
    balanced,
    descend,
    first_step,
    fit_head,
    mean_angle,
    recovered_mass,
    total_mass,
)
from beyond_kernel.feature_learning.population_kernel import masses, population_loss
from beyond_kernel.random_streams import generator_for

TEACHER = drawn_teacher([1.0, -1.5], 4, 40.0, seed=0)
V, B = TEACHER.V, TEACHER.b


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=generator_for(seed, "test", *shape), dtype=torch.float64)


def slopes(objective, W, a):
    """Return the central differences of a function of neurons and head."""
    found, small = [torch.zeros_like(W), torch.zeros_like(a)], 1e-6
    for which, tensor in enumerate((W, a)):
        for place in np.ndindex(*tensor.shape):
            moves = []
            for sign in (1, -1):
                pair = [W.clone(), a.clone()]
                pair[which][place] += sign * small
                moves.append(float(objective(*pair)))
            found[which][place] = (moves[0] - moves[1]) / (2 * small)
    return found


def regularised(decay):
    return lambda W, a: population_loss(W, a, V, B) + decay / 2 * (W.square().sum() + a.square().sum())


def test_the_first_step_is_the_gradient_at_a_symmetric_start():
    """Pairs (a, w), (-a, w) have f = 0; each gradient is parallel to the step, up to the sign of its head."""
    W, a = drawn(5, 4), drawn(5, seed=1)
    gradient = slopes(lambda W, a: population_loss(W, a, V, B), torch.cat((W, W)), torch.cat((a, -a)))[0]
    unit = torch.nn.functional.normalize(gradient, dim=1)
    step = first_step(W, V, B)
    np.testing.assert_allclose((unit[:5] * step).sum(1), a.sign(), atol=1e-6)
    np.testing.assert_allclose((unit[5:] * step).sum(1), -a.sign(), atol=1e-6)


def test_the_head_is_where_the_ridge_objective_is_flat():
    U = torch.nn.functional.normalize(drawn(6, 4), dim=1)
    W, a = fit_head(U, V, B, 0.1)
    c = masses(W, a)
    objective = lambda _, c: population_loss(U, c, V, B) + 0.05 * c.square().sum()  # noqa: E731
    assert float(slopes(objective, U, c)[1].abs().max()) < 1e-8
    np.testing.assert_allclose(a.abs(), W.norm(dim=1), rtol=1e-12)
    np.testing.assert_allclose(W.norm(dim=1, keepdim=True) * U, W, atol=1e-12)


def test_a_step_follows_the_gradient_with_its_decay():
    W, a = drawn(5, 4), drawn(5, seed=1)
    path = descend(W, a, V, B, torch.tensor([0.2], dtype=torch.float64), 1, 0.05, [0, 1])
    by_W, by_a = slopes(regularised(0.2), W, a)
    np.testing.assert_allclose(path.W[1], W - 0.05 * by_W, atol=1e-8)
    np.testing.assert_allclose(path.a[1], a - 0.05 * by_a, atol=1e-8)
    assert torch.equal(path.W[0], W) and path.at.tolist() == [0, 1]


def test_levels_follow_each_other_and_a_batch_is_its_members():
    W, a = drawn(5, 4), drawn(5, seed=1)
    decays = torch.tensor([[0.1, 0.0], [0.01, 0.3]], dtype=torch.float64)
    both = descend(torch.stack((W, W)), torch.stack((a, a)), V, B, decays, 7, 0.05, [7, 14])
    for k in range(2):
        first = descend(W, a, V, B, decays[:1, k], 7, 0.05, [7])
        second = descend(first.W[0], first.a[0], V, B, decays[1:, k], 7, 0.05, [7])
        np.testing.assert_allclose(both.W[0, k], first.W[0], atol=1e-12)
        np.testing.assert_allclose(both.W[1, k], second.W[0], atol=1e-12)
        np.testing.assert_allclose(both.a[1, k], second.a[0], atol=1e-12)


def test_a_teacher_of_its_own_for_each_student():
    other = drawn_teacher([1.0, 1.0], 4, 40.0, seed=5)
    W, a = drawn(5, 4), drawn(5, seed=1)
    none = torch.zeros(1, dtype=torch.float64)
    both = descend(
        torch.stack((W, W)),
        torch.stack((a, a)),
        torch.stack((V, other.V)),
        torch.stack((B, other.b)),
        none,
        5,
        0.05,
        [5],
    )
    for k, teacher in enumerate((TEACHER, other)):
        np.testing.assert_allclose(
            both.W[0, k], descend(W, a, teacher.V, teacher.b, none, 5, 0.05, [5]).W[0], atol=1e-12
        )


def test_a_balanced_network_stays_balanced_and_a_loud_teacher_is_learnt_the_same_way():
    """Scaling the weights of the teacher by 4 scales W and a by 2 if rate and decay go with 1/4 and 4."""
    U = first_step(drawn(12, 4), V, B)
    W, a = fit_head(U, V, B, 0.01)
    decay = torch.tensor([0.01], dtype=torch.float64)
    path = descend(W, a, V, B, decay, 200, 0.1, [200])
    assert float((path.a[0].abs() - path.W[0].norm(dim=1)).abs().max()) < 0.02
    loud = descend(2 * W, 2 * a, V, 4 * B, 4 * decay, 200, 0.1 / 4, [200])
    np.testing.assert_allclose(loud.W, 2 * path.W, rtol=1e-9)


def test_decay_finds_the_teacher_and_its_mass():
    """The statement itself at a small size: at least .99 of the mass within 5 degrees, the total within 1 per cent."""
    W, a = fit_head(first_step(drawn(24, 4), V, B), V, B, 0.01)
    decays = torch.tensor(DECAYS, dtype=torch.float64)
    end = descend(W, a, V, B, decays, 800, 1 / TEACHER.mass, [800 * len(DECAYS)])
    assert float(recovered_mass(end.W, end.a, V)) > 0.99
    assert float(total_mass(end.W, end.a)) == pytest.approx(TEACHER.mass, rel=0.01)
    near = masses(end.W[0], end.a[0])[((end.W[0] @ V[0]).abs() / end.W[0].norm(dim=1)) > 0.99]
    assert float(near.sum()) == pytest.approx(float(B[0]), abs=0.01)


def test_measures_by_hand():
    teacher = plane_teacher([0, 90], [1, 1])
    turns = torch.deg2rad(torch.tensor([2.0, 86.0, 45.0, 178.0], dtype=torch.float64))
    U, c = torch.stack((turns.cos(), turns.sin()), 1), torch.tensor([1.0, -2.0, 3.0, 4.0], dtype=torch.float64)
    W, a = balanced(U, c)
    assert float(total_mass(W, a)) == pytest.approx(10)
    assert float(recovered_mass(W, a, teacher.V)) == pytest.approx(0.7)
    assert float(recovered_mass(W, a, teacher.V, degrees=3.0)) == pytest.approx(0.5)
    assert float(mean_angle(W, a, teacher.V)) == pytest.approx((2 * 1 + 4 * 2 + 45 * 3 + 2 * 4) / 10)


def test_results_follow_the_dtype():
    U = first_step(drawn(6, 4).float(), V.float(), B.float())
    W, a = fit_head(U, V.float(), B.float(), 0.01)
    path = descend(W, a, V.float(), B.float(), torch.tensor([0.01]), 50, 0.1, [50])
    assert {U.dtype, W.dtype, a.dtype, path.W.dtype, path.a.dtype} == {torch.float32}
    exact = descend(W.double(), a.double(), V, B, torch.tensor([0.01], dtype=torch.float64), 50, 0.1, [50])
    np.testing.assert_allclose(path.W, exact.W, atol=2e-3)  # the cosine of nearly parallel rows is known to 1e-7


def test_bad_input_is_a_sentence():
    W, a = drawn(5, 4), drawn(5, seed=1)
    one = torch.tensor([0.1], dtype=torch.float64)
    for changed, sentence in [
        ({"rate": 0.0}, "rate = 0.0 is out of range"),
        ({"rate": 1e3, "steps": 300, "at": [300]}, "rate = 1000 is too large: the descent diverged"),
        ({"steps": 0}, "steps = 0"),
        ({"at": [2]}, r"at\[0\] = 2 is out of range: it must be a whole number from 0 to 1"),
        ({"at": [1, 0]}, "must be ascending numbers of steps"),
        ({"at": []}, "must be ascending numbers of steps"),
        ({"decays": -one}, "decays holds an entry"),
        ({"decays": torch.zeros(2, 3, dtype=torch.float64)}, r"decays has shape \(2, 3\)"),
    ]:
        with pytest.raises(BadParameter, match=sentence):
            descend(W, a, V, B, **({"decays": one, "steps": 1, "rate": 0.1, "at": [1]} | changed))
    with pytest.raises(BadParameter, match="penalty = 0"):
        fit_head(W, V, B, 0.0)
    with pytest.raises(BadParameter, match="degrees = 91"):
        recovered_mass(W, a, V, degrees=91.0)
    assert math.isnan(float(mean_angle(W, 0 * a, V)))
