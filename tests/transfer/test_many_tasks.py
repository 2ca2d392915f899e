"""The step of many tasks against autograd, its mean against quadrature, and recovery against a Gaussian model."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.special import roots_legendre
from scipy.stats import norm

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning.networks import BLOCK
from beyond_kernel.foundations.learning.samples import Sample, draw_sample
from beyond_kernel.foundations.targets.hidden_directions import drawn_directions
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.many_tasks import (
    accuracy,
    expected_pull,
    first_heads,
    linear_part,
    many_task_gradient,
    measured_pull,
    predicted_recovery,
    quadratic_part,
    recovery,
)
from beyond_kernel.transfer.sign_tasks import SignTask, linear_strength, sign_patterns, sign_tasks, visible_directions


def drawn(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=generator_for(seed, "drawn"), dtype=torch.float64).to(dtype)


def tasks_and_samples(d=12, r=3, tasks=4, n=200, seed=0, family="balanced"):
    known = sign_tasks(family, d, r, tasks, generator_for(seed, "tasks"), seed)
    return known, [draw_sample(task, n, 0.0, generator_for(seed, index)) for index, task in enumerate(known)]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)], ids=str)
def test_the_step_is_that_of_autograd(dtype, tolerance):
    samples = [Sample(s.X.to(dtype), s.y.to(dtype)) for s in tasks_and_samples()[1]]
    W, wanted = drawn(7, 12, dtype=dtype), 0
    for s in samples:
        y = s.y - s.y.mean()
        a = torch.zeros(len(W), dtype=dtype, requires_grad=True)
        head = -torch.autograd.grad(((torch.relu(s.X @ W.T) @ a - y) ** 2).mean() / 2, a)[0]
        assert torch.allclose(first_heads(W, s.X, s.y), head, atol=tolerance)
        moving = W.clone().requires_grad_()
        loss = -(y * (torch.relu(s.X @ moving.T) @ head)).mean()  # first order in the outputs, which start at zero
        wanted = wanted - torch.autograd.grad(loss, moving)[0] / len(samples)
    found = many_task_gradient(W, samples)
    assert found.dtype == dtype and torch.allclose(found, wanted, atol=tolerance)


def test_after_a_small_step_of_the_heads_the_step_is_minus_the_gradient_of_the_whole_loss():
    """Heads move by eta, then the true gradient over eta is the step up to O(eta): ten times less error at eta / 10."""
    samples, W, errors = tasks_and_samples()[1], drawn(7, 12) / 12**0.5, []
    step = many_task_gradient(W, samples)
    for eta in (1e-3, 1e-4):
        moving = W.clone().requires_grad_()
        losses = [
            ((torch.relu(s.X @ moving.T) @ (eta * first_heads(W, s.X, s.y)) - s.y + s.y.mean()) ** 2).mean() / 2
            for s in samples
        ]
        true = -torch.autograd.grad(sum(losses) / len(samples), moving)[0] / eta
        errors.append(float((true - step).norm() / step.norm()))
    assert errors[0] < 0.01 and errors[1] == pytest.approx(errors[0] / 10, rel=0.05)


def test_a_product_of_four_signs_pulls_by_its_part_of_degree_four():
    """Neither a linear nor a quadratic part, and yet one step sees it; chance would be 4 / 12."""
    answers = sign_patterns(4).prod(1)
    task = SignTask(drawn_directions(12, 4, seed=0), answers)
    sample = draw_sample(task, 200_000, 0.0, generator_for(0, "four"))
    W = drawn(100, 12, seed=4)
    step = many_task_gradient(W / W.norm(dim=1, keepdim=True), [sample])
    assert visible_directions(task) == 0 and recovery(step, task.directions) > 0.7


def test_heads_in_blocks_are_those_of_the_whole_sample():
    X, y, W = drawn(BLOCK + 500, 3), drawn(BLOCK + 500, seed=1), drawn(4, 3, seed=2)
    assert torch.allclose(first_heads(W, X, y), torch.relu(X @ W.T).T @ (y - y.mean()) / len(y), atol=1e-12)


def test_the_sign_of_a_task_and_a_constant_in_its_labels_change_nothing():
    samples = tasks_and_samples()[1]
    W, step = drawn(7, 12), many_task_gradient(drawn(7, 12), samples)
    for changed in (Sample(samples[0].X, -samples[0].y), Sample(samples[0].X, samples[0].y + 5)):
        assert torch.allclose(many_task_gradient(W, [changed, *samples[1:]]), step)


def test_linear_and_quadratic_part_are_sums_over_points():
    X, y = drawn(9, 3), drawn(9, seed=1)
    centred = y - sum(y) / 9
    b = sum(c * x for c, x in zip(centred, X, strict=True)) / 9
    Q = sum(c * (torch.outer(x, x) - torch.eye(3)) for c, x in zip(centred, X, strict=True)) / 18
    assert torch.allclose(linear_part(X, y), b) and torch.allclose(quadratic_part(X, y), Q)


def test_parts_of_a_quadratic_polynomial_are_its_coefficients():
    """For y = 5 + 2 x1 + x1 x2 the truth is b = (2, 0), Q = [[0, 1/2], [1/2, 0]]; entries err by about 5 / sqrt(n)."""
    X = drawn(400_000, 2)
    y = 5 + 2 * X[:, 0] + X[:, 0] * X[:, 1]
    assert torch.allclose(linear_part(X, y), torch.tensor([2.0, 0.0], dtype=torch.float64), atol=0.04)
    Q = torch.tensor([[0.0, 0.5], [0.5, 0.0]], dtype=torch.float64)
    assert torch.allclose(quadratic_part(X, y), Q, atol=0.04)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_recovery_counts_directions_that_are_found(dtype):
    U = torch.linalg.qr(drawn(40, 3))[0]
    inside, outside = drawn(9, 3, seed=2) @ U.T, drawn(90, 40, seed=3)
    assert recovery(inside.to(dtype), U) == pytest.approx(1, abs=1e-6)
    assert recovery((outside - outside @ U @ U.T).to(dtype), U) < 1e-6
    alone = torch.outer(drawn(9, seed=4), U[:, 0]).to(dtype)
    assert recovery(alone, U) == pytest.approx(1 / 3, abs=1e-6)  # the two missing directions are not found by luck
    turned = torch.linalg.qr(drawn(40, 40, seed=5))[0]
    W = inside + 0.3 * outside[:9]
    assert recovery(W, U) == pytest.approx(recovery(W @ turned, turned.T @ U), abs=1e-9)


def test_recovery_is_the_mean_squared_cosine():
    """One direction turned by 60 degrees, the other found: (1/4 + 1) / 2."""
    U, tilted = torch.eye(5)[:, :2].double(), torch.zeros(2, 5, dtype=torch.float64)
    tilted[0, 0], tilted[0, 4], tilted[1, 1] = 1.0, math.sqrt(3), 1.0
    assert recovery(tilted, U) == pytest.approx(0.625)


@pytest.mark.parametrize(("tasks", "d", "r", "n"), [(64, 100, 3, 1000), (64, 100, 6, 1000), (256, 60, 4, 200)])
@pytest.mark.parametrize("noise", [0.0, 1.5])
def test_predicted_recovery_is_that_of_gaussian_linear_parts(tasks, d, r, n, noise):
    """Linear parts as Gaussian vectors of that variance; single draws scatter by 0.03, the mean of eight by 0.01."""
    generator, found = np.random.default_rng(0), []
    for _ in range(8):
        parts = math.sqrt((1 + noise**2) / n) * generator.standard_normal((tasks, d))
        parts[:, :r] += math.sqrt(linear_strength("balanced", r)) * generator.standard_normal((tasks, r))
        found.append((np.linalg.svd(parts)[2][:r, :r] ** 2).sum() / r)
    assert predicted_recovery("balanced", d, r, tasks, n, noise) == pytest.approx(np.mean(found), abs=0.025)


def test_predicted_recovery_depends_on_all_labels_together_and_vanishes_with_the_linear_part():
    missing = [1 - predicted_recovery("odd", 50, 3, 4000 // k, 1000 * k) for k in (1, 2, 4)]
    assert missing == pytest.approx([50 * math.pi * 4 / 2 / 4e6] * 3, rel=0.01)  # d / (T n tau^2), tau^2 = 2 / (4 pi)
    assert predicted_recovery("even", 50, 3, 64, 1000) == 0 == predicted_recovery("odd", 1000, 3, 2, 10)


def population_step(answers, m):
    """Return head and move of a neuron with overlaps m for one task of two signs, by quadrature in each quadrant.

    <w, x> = <m, z> + rho xi with rho^2 = 1 - |m|^2: the Gaussian xi is integrated out in closed form.
    """
    nodes, weights = roots_legendre(60)
    z, mass = 4 * (nodes + 1), 4 * weights * norm.pdf(4 * (nodes + 1))
    rho, head, move = math.sqrt(1 - m @ m), 0.0, np.zeros(2)
    for signs, answer in answers.items():
        Z = np.stack([signs[0] * z[:, None] + 0 * z, signs[1] * z + 0 * z[:, None]])
        inner, weight = np.tensordot(m, Z, 1) / rho, answer * mass[:, None] * mass
        head += (weight * rho * (norm.pdf(inner) + inner * norm.cdf(inner))).sum()
        move += (weight * Z * norm.cdf(inner)).sum((1, 2))
    return head, move


def mean_step(family, m):
    """Return the mean of head times move over all functions of two signs of a family."""
    points, steps = list(itertools.product([-1, 1], repeat=2)), []
    for answers in itertools.product([-1, 1], repeat=4):
        g = dict(zip(points, answers, strict=True))
        mirrored = {g[-s, -t] * g[s, t] for s, t in points}
        if sum(answers) == 0 and (family == "balanced" or mirrored == {1 if family == "even" else -1}):
            head, move = population_step(g, m)
            steps.append(head * move)
    return np.mean(steps, 0)


def test_tasks_together_pull_neurons_into_the_subspace_with_the_derived_strength():
    errors = []
    for size in (0.2, 0.1, 0.05):
        m = size * np.array([0.8, 0.6])
        errors.append(np.abs(mean_step("balanced", m) / (linear_strength("balanced", 2) / 4 * m) - 1).max())
    assert errors[-1] < 2e-3 and errors[0] > 3.5 * errors[1] > 12 * errors[2]  # what is left out is of order |m|^2
    # odd tasks of two signs are single signs, for which nothing is left out
    assert mean_step("odd", m) == pytest.approx(linear_strength("odd", 2) / 4 * m, rel=1e-9)


def test_even_tasks_pull_with_the_third_power_of_the_overlap():
    """Derived: (h^2 / 2 pi) m_i (|m|^2 - m_i^2), h^2 = E H_ij^2, which is (2/pi)^2 for even tasks of two signs."""
    m = 0.05 * np.array([0.8, 0.6])
    wanted = (2 / math.pi) ** 2 / (2 * math.pi) * m * (m @ m - m**2)
    assert mean_step("even", m) == pytest.approx(wanted, rel=0.01)


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_heads_and_neurons_on_one_sample_add_the_derived_part_to_the_pull(noise):
    """Labels that know nothing of x: the mean is v (n - 1)/n^2 cov(relu(z), z 1{z > 0}), v = 1 + noise^2, anywhere.

    The covariance is 1/2 - 1/(2 pi), by quadrature here; 3,000 tasks of 20 labels leave an error of 2 %.
    """
    n, tasks, z = 20, 3000, np.linspace(0, 10, 100_001)
    first, second = (float(np.trapezoid(z**k * norm.pdf(z), z)) for k in (1, 2))
    X, signs, more = drawn(tasks, n, 10), drawn(tasks, n, seed=1).sign(), drawn(tasks, n, seed=2).sign()
    W = drawn(40, 10, seed=3)
    W /= W.norm(dim=1, keepdim=True)
    step = many_task_gradient(W, [Sample(*pair) for pair in zip(X, signs + noise * more, strict=True)])
    wanted = (1 + noise**2) * (n - 1) / n**2 * (second - first**2)
    for columns in (slice(0, 3), slice(3, 10)):
        assert measured_pull(step, W, torch.eye(10).double()[:, columns]) == pytest.approx(wanted, rel=0.08)
    assert expected_pull("even", 2, n, noise) * (n - 1) / n == pytest.approx(wanted, rel=1e-6)
    more_of_it = expected_pull("odd", 3, n, noise) - expected_pull("even", 3, n, noise)
    assert more_of_it == pytest.approx(linear_strength("odd", 3) / 4)


def test_measured_pull_looks_inside_the_subspace_alone():
    U, W = torch.linalg.qr(drawn(30, 3))[0], drawn(50, 30, seed=1)
    outside = drawn(50, 30, seed=2)
    G = 0.7 * W + outside - outside @ U @ U.T
    assert measured_pull(G, W, U) == pytest.approx(0.7)


def test_accuracy_counts_signs():
    assert accuracy(torch.tensor([1.0, -0.1, 2.0, 0.0]), torch.tensor([1.0, 1.0, -1.0, 1.0])) == 0.25


@pytest.mark.parametrize(
    "call",
    [
        lambda: many_task_gradient(torch.ones(3, 4), []),
        lambda: many_task_gradient(torch.ones(3, 4), [Sample(torch.ones(5, 3), torch.ones(5))]),
        lambda: accuracy(torch.ones(3), torch.ones(4)),
        lambda: recovery(torch.ones(2, 4), torch.eye(4)[:, :3]),
        lambda: predicted_recovery("balanced", 10, 3, 0, 10),
        lambda: predicted_recovery("balanced", 10, 3, 4, 10, -1.0),
        lambda: expected_pull("balanced", 3, 0),
        lambda: measured_pull(torch.ones(2, 4), torch.ones(3, 4), torch.eye(4)[:, :2]),
    ],
)
def test_bad_input_ends_in_one_sentence(call):
    with pytest.raises(BadParameter, match="must"):
        call()
