"""Random signs against brute force over all of them, learners against invariances, closed forms and one another."""

import functools
import itertools

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.escaping_the_kernel.quadratic_ntk import (
    RATE,
    fit_degree_two_kernel,
    fit_quadratic_model,
    fit_tangent_model,
    moved_along,
    random_signs,
    signed_linear_parts,
    silenced_square,
    with_random_signs,
)
from beyond_kernel.escaping_the_kernel.quadratic_ntk_cells import balanced_quadratic
from beyond_kernel.escaping_the_kernel.recursive_features import fit_recursive_features
from beyond_kernel.escaping_the_kernel.taylor_model import TaylorModel, taylor_start, train_taylor
from beyond_kernel.foundations.inputs.laws import sphere
from beyond_kernel.foundations.learning.held_out import split_fifth
from beyond_kernel.foundations.learning.learners import label_of
from beyond_kernel.foundations.learning.measures import risk
from beyond_kernel.foundations.learning.samples import Problem, draw_problem
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.kernel_regime.activations import ACTIVATIONS
from beyond_kernel.kernel_regime.dual_kernels import dual_random_feature_kernel, dual_tangent_kernel
from beyond_kernel.kernel_regime.kernel_learners import fit_gaussian_kernel
from beyond_kernel.random_streams import generator_for


def moved(width=8, d=4, n=6, dtype=torch.float64):
    model = taylor_start(width, d, generator_for(0, "start"), jitter=0.5, dtype=dtype)
    return model, sphere(n, d, generator_for(0, "points"), dtype)


@functools.cache
def problem(target="h2(z1)", d=10, n=120, seed=0, noise=0.0):
    return draw_problem(parse_target(target, d, seed), n, noise, seed, "sphere", 1000)


def risk_on(problem, predictor):
    return risk(predictor(problem.test.X), problem.test.truth, problem.variance).value


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_random_signs_silence_the_linear_part_and_leave_the_quadratic_one(dtype):
    """All 2^8 choices of signs: f_L has mean zero and the mean square of the closed form, f_Q never changes."""
    model, X = moved(dtype=dtype)
    choices = torch.tensor(list(itertools.product([1.0, -1.0], repeat=8)), dtype=dtype)
    models = [TaylorModel(model.W0, model.W * signs[:, None]) for signs in choices]
    linear = torch.stack([signed.linear_part(X) for signed in models])
    torch.testing.assert_close(linear.mean(0), torch.zeros(6, dtype=dtype), rtol=0, atol=1e-6)
    torch.testing.assert_close(silenced_square(model, X), linear.square().mean(0))
    torch.testing.assert_close(signed_linear_parts(model, X, choices.T), linear.T, rtol=1e-4, atol=1e-6)
    for signed in models[::37]:
        torch.testing.assert_close(signed.quadratic_part(X), model.quadratic_part(X))


def test_a_draw_of_signs_turns_moves_whole_and_half_of_them():
    model, _ = moved(width=2000)
    signed = with_random_signs(model, generator_for(1))
    turned = signed.W / model.W
    assert torch.equal(turned[:, 0], turned[:, 3]) and set(turned.flatten().tolist()) == {1.0, -1.0}
    assert abs(float(turned[:, 0].mean())) < 0.07  # three standard deviations of 2,000 signs
    signs = random_signs(2000, 3, generator_for(1))
    assert signs.shape == (2000, 3) and torch.equal(signs.abs(), torch.ones(2000, 3, dtype=torch.float64))
    assert abs(float((signs[:, 0] * signs[:, 1]).mean())) < 0.07


def test_aligned_moves_have_the_values_of_an_infinite_width():
    """f_L / m^{1/4} tends to E sigma'(z) <b, x> / 2 and f_Q to E sigma''(z) <b, x>^2 / 4, z standard normal.

    Both means by quadrature over z from the derivative in closed form; on the sphere of d = 400 z is normal to 1/400.
    """
    m, d = 100_000, 400
    start = taylor_start(m, d, generator_for(0), dtype=torch.float32)
    X = sphere(6, d, generator_for(1), torch.float32)
    b = torch.nn.functional.normalize(torch.arange(1.0, d + 1), dim=0)
    model, u = moved_along(start, b), X @ b
    z = torch.linspace(-9, 9, 20_001, dtype=torch.float64)
    slope = ACTIVATIONS["shifted sigmoid"].derivative(z)
    weight = torch.exp(-z.square() / 2) / (2 * torch.pi) ** 0.5 * (z[1] - z[0])
    mean_slope, mean_bend = float((slope * weight).sum()), float((slope * z * weight).sum())  # Stein
    torch.testing.assert_close(model.linear_part(X) / m**0.25, mean_slope * u / 2, rtol=0.02, atol=0.002)
    torch.testing.assert_close(model.quadratic_part(X), mean_bend * u.square() / 4, rtol=0.05, atol=0.001)
    assert not model.W[m // 2 :].any()


def test_the_tangent_model_is_ridge_regression_with_a_kernel_that_tends_to_the_dual_one():
    """The first layer's part of the limit by quadrature; w on the sphere of d = 200 is normal to 1/200."""
    given = draw_problem(parse_target("h2(z1)", 200, 0), 30, 0.1, 0, "sphere", 20)
    found = fit_tangent_model(given, generator_for(0), width=20_000)
    X, Z = given.train.X, given.test.X
    kinds = (dual_tangent_kernel, dual_random_feature_kernel)
    gram, head = (kind(X, activation="shifted sigmoid") for kind in kinds)
    cross, cross_head = (kind(Z, X, activation="shifted sigmoid") for kind in kinds)
    assert float((found.kernel(X) - gram + head).norm() / (gram - head).norm()) < 0.01
    penalty = len(X) * found.fit.penalty * torch.eye(30, dtype=gram.dtype)
    limit = (cross - cross_head) @ torch.linalg.solve(gram - head + penalty, given.train.y)
    torch.testing.assert_close(found(Z), limit, rtol=0, atol=0.05)


def test_the_quadratic_model_learns_one_square_from_fewer_samples_and_a_linear_function_badly():
    """At n = d^{3/2}: ratios 0.3 to 0.8, and 60 to 160, in 12 runs of an independent experiment."""
    sparse, linear = problem(d=20, n=89), problem("z1", d=20, n=89)

    def ratio(given):
        quadratic = fit_quadratic_model(given, generator_for(0), width=200)
        return risk_on(given, quadratic) / risk_on(given, fit_tangent_model(given, generator_for(0), width=200))

    assert ratio(sparse) < 0.8 and ratio(linear) > 10


def test_rivals_that_reweight_their_inputs_are_better():
    """At n = 2 d^{3/2} recursive features had 0.02 to 0.35 of the risk in 12 runs of an independent experiment."""
    given = problem(d=20, n=179)
    quadratic = risk_on(given, fit_quadratic_model(given, generator_for(0), width=200))
    assert risk_on(given, fit_recursive_features(given, generator_for(0))) < 0.6 * quadratic


def test_with_d_squared_samples_a_fixed_kernel_is_ahead():
    """It can tell all d^2 / 2 quadratic forms apart; at n = d^{3/2} the order is the other way round."""
    given = problem(d=16, n=256)
    quadratic = risk_on(given, fit_quadratic_model(given, generator_for(0), width=200))
    assert risk_on(given, fit_gaussian_kernel(given, generator_for(0))) < 0.8 * quadratic


def test_the_degree_two_kernel_holds_quadratic_forms_and_nothing_else():
    """With more points than the d (d + 1) / 2 = 55 forms they are exact; an odd function is out of reach."""
    quadratic, linear = problem("z1*z2 + h2(z3)", n=80), problem("z1", n=80)
    assert risk_on(quadratic, fit_degree_two_kernel(quadratic, generator_for(0))) < 1e-6
    assert risk_on(linear, fit_degree_two_kernel(linear, generator_for(0))) > 0.9


def test_in_forty_dimensions_it_beats_the_kernel_that_knows_the_degree():
    """At n = 2 d^{3/2}: ratio 0.38 in an independent experiment."""
    given = problem(d=40, n=506)
    quadratic = risk_on(given, fit_quadratic_model(given, generator_for(0), width=200))
    assert quadratic < 0.7 * risk_on(given, fit_degree_two_kernel(given, generator_for(0)))


def test_a_dense_quadratic_form_leaves_no_gain():
    """At n = 2 d^{3/2} a fixed kernel has 0.4 to 0.7 of the risk; on one direction it has 1.7 times the risk."""
    given = problem(balanced_quadratic(20), d=20, n=179)
    quadratic = risk_on(given, fit_quadratic_model(given, generator_for(0), width=200))
    assert risk_on(given, fit_gaussian_kernel(given, generator_for(0))) < 0.9 * quadratic


def test_a_multiple_of_the_activation_is_fitted_as_well():
    """sigma -> 4 sigma: with sizes and step in units of sigma'' the moves are halved and the predictions the same."""
    options = {"width": 60, "steps": 60}
    four = lambda z: 4 * torch.sigmoid(z - 1)  # noqa: E731
    one = fit_quadratic_model(problem(), generator_for(0), **options)
    other = fit_quadratic_model(problem(), generator_for(0), activation=four, **options)
    torch.testing.assert_close(other.model.W, one.model.W / 2, rtol=2e-3, atol=2e-4)
    torch.testing.assert_close(other(problem().test.X), one(problem().test.X), rtol=2e-3, atol=2e-3)
    assert other.steps == one.steps


def test_labels_of_the_test_points_are_not_seen_and_the_dtype_is_that_of_the_inputs():
    given = problem()
    blind = Problem(given.train, given.train)
    options = {"width": 40, "steps": 40}
    first, second = (fit_quadratic_model(one, generator_for(0), **options) for one in (given, blind))
    assert torch.equal(first.model.W, second.model.W) and first.model.W.dtype == torch.float64
    assert first(given.test.X).dtype == torch.float64


def test_size_and_stop_are_those_of_least_error_on_a_random_fifth():
    """By trying all of them one by one: noise makes the last stop a bad one."""
    noisy = problem(noise=2.0)
    found = fit_quadratic_model(noisy, generator_for(0), width=40, steps=40, jitters=[0.02, 0.3])
    errors, unit, generator = {}, unit_of(noisy.train.X, 40), generator_for(0)
    taylor_start(40, 10, generator, jitter=1.0)  # drawn before the fifth
    kept, held = split_fifth(noisy.train, generator)
    assert len(held) == 24
    for jitter in (0.02, 0.3):
        for taken in [round(40 * place / 19) for place in range(1, 20)]:  # as many as a kernel has penalties
            model = trained(kept, jitter, taken, unit)
            errors[taken, jitter] = float((model.quadratic_part(held.X.float()) - held.y).square().mean())
    (taken, jitter), _ = min(errors.items(), key=lambda item: item[1])
    assert found.steps == taken < 40 and len(set(errors.values())) > 20
    assert found.jitter == pytest.approx(jitter / unit**0.5, rel=1e-5)
    wanted = trained(noisy.train, jitter, taken, unit).W.double()  # anew on all samples
    torch.testing.assert_close(found.model.W, wanted, rtol=1e-3, atol=1e-4)


def unit_of(X, width):
    """Return the root of the mean square of sigma'' at the start, from the derivative of sigma' by differences."""
    W0 = taylor_start(width, X.shape[1], generator_for(0)).W0
    z, h = X @ W0.T, 1e-5
    slope = ACTIVATIONS["shifted sigmoid"].derivative
    return float(((slope(z + h) - slope(z - h)) / (2 * h)).square().mean().sqrt())


def trained(sample, jitter, taken, unit):
    start = taylor_start(40, 10, generator_for(0), jitter=jitter / unit**0.5, dtype=torch.float32)
    options = {"steps": taken, "rate": RATE / unit, "parts": ["quadratic"]}
    return train_taylor(start, sample.X.float(), sample.y.float(), **options)


def test_labels_and_bad_input():
    assert label_of(fit_quadratic_model) == "quadratic model" and label_of(fit_tangent_model) == "tangent model"
    with pytest.raises(BadParameter, match="width = 5 is odd"):
        fit_quadratic_model(problem(), generator_for(0), width=5)
    with pytest.raises(BadParameter, match=r"jitters\[0\] = 0.0 is out of range"):
        fit_quadratic_model(problem(), generator_for(0), jitters=[0.0])
    with pytest.raises(BadParameter, match="the sample has 4 points"):
        fit_quadratic_model(problem(n=4), generator_for(0))
    with pytest.raises(BadParameter, match="has no second derivative"):
        fit_quadratic_model(problem(), generator_for(0), width=4, activation="identity")
    with pytest.raises(BadParameter, match="direction has shape"):
        moved_along(taylor_start(4, 3, generator_for(0)), torch.ones(2, dtype=torch.float64))
    with pytest.raises(BadParameter, match="signs has 3 rows"):
        signed_linear_parts(*moved(), torch.ones(3, 1, dtype=torch.float64))
