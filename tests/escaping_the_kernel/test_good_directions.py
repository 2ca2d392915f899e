"""Projections against an explicit singular value decomposition, the trained model against autograd, counts by hand."""

import math
from dataclasses import replace

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.escaping_the_kernel.good_directions import (
    fit_joint_model,
    fit_regularised_model,
    form_gap,
    learnt_directions,
    low_degree_count,
    protected_directions,
    split_linear_part,
    unprotected_energy,
)
from beyond_kernel.escaping_the_kernel.taylor_model import TaylorModel, tangent_gram, taylor_start
from beyond_kernel.foundations.inputs.laws import sphere
from beyond_kernel.foundations.learning.learners import label_of
from beyond_kernel.foundations.learning.samples import Problem, Sample, draw_problem
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for

D, N, WIDTH, KEPT = 4, 12, 8, 5


def moved(seed: int, dtype: torch.dtype = torch.float64) -> tuple[TaylorModel, torch.Tensor, torch.Tensor]:
    start = taylor_start(WIDTH, D, generator_for(seed, "start"), jitter=0.5, dtype=dtype)
    return start, *(sphere(N, D, generator_for(seed, name), dtype) for name in ("train", "fresh"))


def jacobian(model: TaylorModel, X: torch.Tensor) -> torch.Tensor:
    """Return d f_L / d W by automatic differentiation, of shape (n, m d)."""
    return torch.func.jacrev(lambda W: replace(model, W=W).linear_part(X))(model.W).flatten(1)


def problem_of(target: str, d: int, n: int, seed: int, dtype: torch.dtype = torch.float64) -> Problem:
    return draw_problem(parse_target(target, d, seed), n, 0.0, seed, "sphere", 500, dtype)


@pytest.mark.parametrize(("d", "degree"), [(2, 0), (3, 1), (4, 3), (30, 2)])
def test_harmonics_up_to_a_degree_are_counted(d, degree):
    """On the sphere a polynomial of degree k is one homogeneous of degree k plus one of degree k - 1."""
    below = math.comb(d + degree - 2, degree - 1) if degree else 0
    assert low_degree_count(d, degree) == math.comb(d + degree - 1, degree) + below


def test_the_form_of_the_claims():
    """By hand: energies 1 and 1, 2 and 9, 1 and 9, 1 and 16, 3 and 1, 4 and 1.

    h2 of a sum of two directions is one direction, a product two.
    """
    gaps = {
        "3 + z1 + h2(z2)": None,
        "z1 + z2 + 3*h2((z1 - z2)/sqrt(2))": None,
        "z1 + 3*h2((z1 - z2)/sqrt(2))": "the linear part and the squared direction are not at right angles",
        "z1 + h2(z1)": "the linear part and the squared direction are not at right angles",
        "z1 + 4*h2(z2)": "the linear part has less than 10% or more than 75% of the target's energy",
        "sqrt(3)*z1 - h2(z2)": None,
        "2*z1 + h2(z2)": "the linear part has less than 10% or more than 75% of the target's energy",
        "z1 + z1*z2": "the target has 2 quadratic directions, not one",
        "z1": "the target has degree 1, not two",
        "z1 + h2(z2) + h3(z2)": "the target has degree 3, not two",
    }
    assert {text: form_gap(parse_target(text, 4)) for text in gaps} == gaps


def test_protected_directions_are_the_leading_left_singular_vectors():
    model, X, _ = moved(0)
    left = torch.linalg.svd(jacobian(model, X), full_matrices=False).U
    found = protected_directions(tangent_gram(model, X), KEPT)
    for k in range(KEPT):  # one by one: the order counts, the sign does not
        assert abs(float(found[:, k] @ left[:, k])) == pytest.approx(1, abs=1e-9)


def test_the_regulariser_is_what_the_jacobian_makes_of_the_projected_move():
    model, X, _ = moved(1)
    J = jacobian(model, X)
    right = torch.linalg.svd(J, full_matrices=False).Vh[:KEPT].T
    rest = model.W.flatten() - right @ (right.T @ model.W.flatten())
    found = unprotected_energy(model.linear_part(X), protected_directions(tangent_gram(model, X), KEPT))
    assert found == pytest.approx(float((J @ rest).square().sum()) / N, rel=1e-9)


def test_the_three_parts_of_a_move_are_those_of_the_singular_value_decomposition():
    model, X, Z = moved(2)
    right = torch.linalg.svd(jacobian(model, X), full_matrices=False).Vh
    W, split = model.W.flatten(), split_linear_part(model, X, Z, KEPT)
    first, second = (rows.T @ (rows @ W) for rows in (right[:KEPT], right[KEPT:]))
    for k, part in enumerate((first, second, W - first - second)):
        assert torch.allclose(split.values[k], jacobian(model, Z) @ part, atol=1e-9)
        assert float(split.squares[k]) == pytest.approx(float(part @ part), rel=1e-7)


def test_good_directions_are_not_seen_on_the_samples_and_bad_ones_only_there():
    model, X, _ = moved(3)
    split = split_linear_part(model, X, X, KEPT)
    assert float(split.values[2].abs().max()) < 1e-9
    U = protected_directions(tangent_gram(model, X), KEPT)
    assert float((U.T @ split.values[1]).abs().max()) < 1e-9
    assert float(split.values[1].square().mean()) == pytest.approx(unprotected_energy(model.linear_part(X), U))


def test_training_follows_the_gradient_that_autograd_takes_of_the_written_objective():
    """Three steps with momentum: at the first f_L is zero, so that the regulariser shows from the second on."""
    problem, penalty = problem_of("(z1 + h2(z2))/sqrt(2)", D, N, seed=4), 0.7
    X, y = problem.train.X, problem.train.y
    start = taylor_start(WIDTH, D, generator_for(4, "net"))
    left = torch.linalg.svd(jacobian(start, X), full_matrices=False).U[:, :KEPT]
    W, speed = start.W.clone(), torch.zeros_like(start.W)
    for _ in range(3):
        W = W.detach().requires_grad_()
        linear = replace(start, W=W).linear_part(X)
        errors = linear + replace(start, W=W).quadratic_part(X) - y
        ((errors @ errors + penalty * (linear - left @ (left.T @ linear)).square().sum()) / N).backward()
        speed = 0.9 * speed - 2.0 * W.grad
        W = W + speed
    options = {"width": WIDTH, "steps": 3, "penalty": penalty, "protected": KEPT}
    found = fit_regularised_model(problem, generator_for(4, "net"), **options)
    assert torch.allclose(found.W, W, atol=1e-10)


def test_without_a_penalty_both_learners_are_one():
    problem = problem_of("(z1 + h2(z2))/sqrt(2)", 6, 30, seed=5)
    options = {"width": 20, "steps": 30}
    free = fit_joint_model(problem, generator_for(5, "net"), **options)
    assert torch.equal(free.W, fit_regularised_model(problem, generator_for(5, "net"), penalty=0.0, **options).W)


def test_all_functions_up_to_degree_one_are_spared_by_default():
    problem = problem_of("(z1 + h2(z2))/sqrt(2)", 6, 30, seed=6)
    options = {"width": 20, "steps": 30}
    default = fit_regularised_model(problem, generator_for(6, "net"), **options)
    named = fit_regularised_model(problem, generator_for(6, "net"), protected=7, **options)
    assert torch.equal(default.W, named.W)


@pytest.mark.parametrize("fit", [fit_joint_model, fit_regularised_model])
def test_only_the_training_sample_is_looked_at(fit):
    problem = problem_of("(z1 + h2(z2))/sqrt(2)", 6, 30, seed=7)
    blind = Problem(problem.train, Sample(-problem.test.X, 0 * problem.test.y))
    models = [fit(given, generator_for(7, "net"), width=20, steps=20) for given in (problem, blind)]
    assert torch.equal(models[0].W, models[1].W)


def test_the_regulariser_takes_from_the_linear_part_what_it_remembers():
    """A linear target and labels of noise: the free model fits them with f_L, the other keeps to d + 1 directions."""
    problem = problem_of("z1", 8, 40, seed=8)
    noise = torch.randn(40, generator=generator_for(8, "noise"), dtype=torch.float64)
    problem = Problem(Sample(problem.train.X, noise), problem.test)
    found = []
    for penalty in (0.0, 100.0):
        model = fit_regularised_model(problem, generator_for(8, "net"), width=40, steps=400, penalty=penalty)
        U = protected_directions(tangent_gram(model, problem.train.X), low_degree_count(8))
        found.append(unprotected_energy(model.linear_part(problem.train.X), U))
    assert found[0] > 0.1 and found[1] < 0.01 * found[0]


def test_learnt_directions_of_moves_along_two_axes():
    """First halves move by 3 e1 and twins by 2 e2: the sum is (m/2) (9 e1 e1' - 4 e2 e2')."""
    start = taylor_start(WIDTH, D, generator_for(9, "start"))
    W = torch.zeros_like(start.W)
    W[: WIDTH // 2, 1], W[WIDTH // 2 :, 0] = 2.0, 3.0
    values, vectors = learnt_directions(replace(start, W=W))
    assert values.tolist() == pytest.approx([-9 * WIDTH / 2, 4 * WIDTH / 2, 0, 0], abs=1e-9)
    assert abs(float(vectors[0, 0])) == pytest.approx(1) and abs(float(vectors[1, 1])) == pytest.approx(1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_result_follows_the_input(dtype):
    problem = problem_of("(z1 + h2(z2))/sqrt(2)", 6, 30, seed=10, dtype=dtype)
    model = fit_regularised_model(problem, generator_for(10, "net"), width=20, steps=20)
    split = split_linear_part(model, problem.train.X, problem.test.X, 7)
    assert {model.W.dtype, split.values.dtype, split.squares.dtype, learnt_directions(model)[0].dtype} == {dtype}
    double = fit_regularised_model(
        problem_of("(z1 + h2(z2))/sqrt(2)", 6, 30, seed=10), generator_for(10, "net"), width=20, steps=20
    )
    assert torch.allclose(model.W.double(), double.W, atol=1e-5)


def test_labels_of_the_learners():
    assert [label_of(fit) for fit in (fit_joint_model, fit_regularised_model)] == [
        "joint model",
        "joint model, regularised",
    ]


def test_bad_input_is_a_sentence():
    problem, net = problem_of("z1", 6, 30, seed=11), generator_for(11, "net")
    model, X, _ = moved(11)
    with pytest.raises(BadParameter, match="protected = 31 directions are more than the 30 samples"):
        fit_regularised_model(problem, net, width=20, protected=31)
    with pytest.raises(BadParameter, match="protected = 13 directions are more than the 12 samples"):
        split_linear_part(model, X, X, 13)
    with pytest.raises(BadParameter, match="the tangent Gram matrix of the 17 samples has not full rank, at width 8"):
        split_linear_part(model, sphere(17, D, net), X, 3)  # rank 4 * 8 / 2 = 16
    with pytest.raises(BadParameter, match="width = 21"):
        fit_joint_model(problem, net, width=21)
    with pytest.raises(BadParameter, match="penalty = -1"):
        fit_regularised_model(problem, net, width=20, penalty=-1.0)
    with pytest.raises(BadParameter, match=r"shape \(12, 4\): it must be square"):
        protected_directions(X, 2)
    with pytest.raises(BadParameter, match="degree = -1"):
        low_degree_count(5, -1)
    with pytest.raises(TypeError, match="gram"):
        protected_directions(torch.eye(3, dtype=torch.int64), 1)
