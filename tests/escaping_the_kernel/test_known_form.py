"""The parametric fit against planted coefficients and against scipy's least squares."""

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

from beyond_kernel.checks import BadParameter
from beyond_kernel.escaping_the_kernel.known_form import LinearPlusSquare, fit_known_form, refit
from beyond_kernel.foundations.learning.samples import Problem, Sample, draw_problem
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for


def planted(n: int, d: int, sign: float, seed: int, noise: float = 0.0) -> tuple[Problem, LinearPlusSquare]:
    draw = lambda *shape: torch.randn(shape, generator=generator, dtype=torch.float64)  # noqa: E731
    generator = generator_for(seed, "planted")
    truth = LinearPlusSquare(draw(1)[0], draw(d) / d**0.5, draw(d) / d**0.5, sign)
    X, fresh = draw(n, d), draw(200, d)
    train = Sample(X, truth(X) + noise * draw(n), truth(X))
    return Problem(train, Sample(fresh, truth(fresh), truth(fresh))), truth


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_function_of_the_form_is_found_exactly(sign):
    problem, truth = planted(80, 10, sign, seed=0)
    found = fit_known_form(problem, generator_for(0))
    assert found.sign == sign
    assert float(found.c) == pytest.approx(float(truth.c), abs=1e-8)
    assert torch.allclose(found.b, truth.b, atol=1e-8)
    assert torch.allclose(found.v * (found.v @ truth.v).sign(), truth.v, atol=1e-8)


def test_with_noise_it_is_the_least_squares_solution_of_scipy():
    problem, truth = planted(150, 6, 1.0, seed=1, noise=0.3)
    X, y = problem.train.X.numpy(), problem.train.y.numpy()
    errors = lambda p: p[0] + X @ p[1:7] + (X @ p[7:]) ** 2 - y  # noqa: E731
    best = least_squares(errors, np.concatenate([[float(truth.c)], truth.b, truth.v]), xtol=1e-14, ftol=1e-14)
    found = fit_known_form(problem, generator_for(1))
    assert float((found(problem.train.X) - problem.train.y).square().sum()) == pytest.approx(2 * best.cost, rel=1e-9)


def test_the_spectral_start_is_near_and_the_steps_converge_quadratically():
    """Without a step the error of v is of order sqrt(d/n); a wrong slope gains a mere factor each."""
    problem, truth = planted(4000, 6, -1.0, seed=3)
    size = float(truth(problem.test.X).var())
    gaps = [fit_known_form(problem, generator_for(0), steps=k)(problem.test.X) - problem.test.truth for k in (0, 4)]
    assert float(gaps[0].square().mean()) < 0.05 * size
    assert float(gaps[1].square().mean()) < 1e-12 * size


def test_no_step_raises_the_training_error():
    """With 2.5 samples a dimension full steps overshoot: halved ones never lead up."""
    for seed in range(4):
        problem = draw_problem(parse_target("(z1 + h2(z2))/sqrt(2)", 20, seed), 50, 0.0, seed, "sphere", 10)
        models = [fit_known_form(problem, generator_for(0), steps=k) for k in range(8)]
        losses = [float((model(problem.train.X) - problem.train.y).square().mean()) for model in models]
        assert all(after <= before for before, after in zip(losses, losses[1:], strict=False)), losses


def test_three_samples_a_dimension_are_enough_on_the_sphere():
    """The claim of the chapter; at d = 20, 30 and 40 all of 8 other seeds pass at n = 3.5 d."""
    for seed in range(3):
        problem = draw_problem(parse_target("(z1 + h2(z2))/sqrt(2)", 30, seed), 105, 0.0, seed, "sphere", 500)
        error = (fit_known_form(problem, generator_for(seed))(problem.test.X) - problem.test.truth).square().mean()
        assert float(error) < 1e-6


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_refit_on_the_true_direction_is_exact_and_on_another_is_not(sign):
    problem, truth = planted(80, 10, sign, seed=2)
    for scale in (3.0, -0.1):
        found = refit(problem.train, scale * truth.v)
        assert torch.allclose(found(problem.test.X), problem.test.truth, atol=1e-4)
    wrong = refit(problem.train, truth.b)
    assert float((wrong(problem.test.X) - problem.test.truth).square().mean()) > 0.1 * float(truth.v.norm() ** 4)


def test_another_form_is_not_fitted():
    problem = draw_problem(parse_target("h3(z1)", 5), 300, 0.0, 0, n_test=500)
    error = (fit_known_form(problem, generator_for(0))(problem.test.X) - problem.test.truth).square().mean()
    assert float(error) > 0.3


def test_a_linear_target_is_no_fault():
    problem = draw_problem(parse_target("z1", 5), 60, 0.0, 0, n_test=500)
    error = (fit_known_form(problem, generator_for(0))(problem.test.X) - problem.test.truth).square().mean()
    assert float(error) < 1e-8


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_result_follows_the_input(dtype):
    problem = draw_problem(parse_target("z1 + h2(z2)", 5), 60, 0.0, 0, n_test=50, dtype=dtype)
    assert fit_known_form(problem, generator_for(0))(problem.test.X).dtype == dtype


def test_bad_input_is_a_sentence():
    problem = draw_problem(parse_target("z1 + h2(z2)", 5), 10, 0.0, 0, n_test=50)
    with pytest.raises(BadParameter, match="the sample has 10 points: 11 numbers are fitted, so it needs 11 or more"):
        fit_known_form(problem, generator_for(0))
    with pytest.raises(BadParameter, match="direction is 0"):
        refit(problem.train, torch.zeros(5, dtype=torch.float64))
    with pytest.raises(BadParameter, match=r"direction has shape \(4,\)"):
        refit(problem.train, torch.ones(4, dtype=torch.float64))
    with pytest.raises(BadParameter, match="steps = -1"):
        fit_known_form(draw_problem(parse_target("z1", 5), 60, 0.0, 0), generator_for(0), steps=-1)
