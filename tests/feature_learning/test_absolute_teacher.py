"""Teachers: their values, mean and variance by samples, their angles by hand, and what is refused."""

import math

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.absolute_teacher import AbsoluteTeacher, angles_to, drawn_teacher, plane_teacher
from beyond_kernel.foundations.learning.tasks import check_task
from beyond_kernel.random_streams import generator_for


def test_the_task_has_the_values_mean_and_variance_of_the_teacher():
    teacher = drawn_teacher([1.0, -2.0, 0.5], 5, 30.0, seed=0)
    task = check_task(teacher.task())
    X = torch.randn(200_000, 5, generator=generator_for(0, "test"), dtype=torch.float64)
    plain = ((X @ teacher.V.T).abs() - math.sqrt(2 / math.pi)) @ teacher.b
    np.testing.assert_allclose(task(X), plain, atol=1e-9)
    assert abs(float(plain.mean())) < 4 * math.sqrt(task.variance / len(X))
    assert float(plain.var()) == pytest.approx(task.variance, rel=0.03)
    assert task.directions.shape == (5, 3) and task.dim == 5
    assert teacher.mass == 3.5


def test_angles_in_the_plane_are_those_asked_for():
    for d in (2, 7):
        teacher = plane_teacher([20, 80, 140], [1, -1, 1], d, seed=3)
        between = torch.rad2deg(angles_to(teacher.V, teacher.V))
        np.testing.assert_allclose(between, [[0, 60, 60], [60, 0, 60], [60, 60, 0]], atol=1e-6)
        assert teacher.least_angle == pytest.approx(60)
    np.testing.assert_allclose(plane_teacher([90], [2]).V, [[0, 1]], atol=1e-15)


def test_small_angles_are_exact_and_signs_do_not_count():
    V = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    W = torch.tensor([[-3.0, 3e-9], [0.0, 2.0], [1.0, 1.0], [0.0, 0.0]], dtype=torch.float64)
    np.testing.assert_allclose(angles_to(W, V)[:, 0], [1e-9, math.pi / 2, math.pi / 4, math.pi / 2], rtol=1e-9)


def test_drawn_directions_keep_their_angle_and_their_seed():
    first, again, other = (drawn_teacher([1, 1, -1, -1], 6, 50.0, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.V, again.V) and not torch.equal(first.V, other.V)
    for seed in range(20):
        assert drawn_teacher([1, 1, -1, -1], 6, 50.0, seed=seed).least_angle >= 50


def test_bad_teachers_are_refused_in_a_sentence():
    for angles, weights, sentence in [
        ([0, 180], [1, 1], "two neurons of the teacher are .* degrees apart, up to sign"),
        ([30, 30], [1, -1], "two neurons of the teacher are 0 degrees apart"),
        ([0, 90], [1, 0], "must have a weight other than 0"),
        ([0, 90], [1, 1, 1], "there must be 2, one for each angle"),
        ([0, float("nan")], [1, 1], r"angles\[1\] = nan"),
        ([], [], r"angles = \[\]"),
        ("z9", [1], "angles = 'z9'"),
    ]:
        with pytest.raises(BadParameter, match=sentence):
            plane_teacher(angles, weights)
    with pytest.raises(BadParameter, match="d = 1"):
        plane_teacher([0], [1], d=1)
    with pytest.raises(BadParameter, match="least_angle = 80 is out of reach: 5 neurons in d = 2"):
        drawn_teacher([1] * 5, 2, 80.0, seed=0)
    with pytest.raises(BadParameter, match="least_angle = 0"):
        drawn_teacher([1], 2, 0.0, seed=0)
    V = torch.eye(2, dtype=torch.float64)
    with pytest.raises(BadParameter, match="a row whose length differs from 1 by 1"):
        AbsoluteTeacher(2 * V, torch.ones(2, dtype=torch.float64))
    with pytest.raises(BadParameter, match="b has a weight of 0"):
        AbsoluteTeacher(V, torch.tensor([1.0, 0.0], dtype=torch.float64))
