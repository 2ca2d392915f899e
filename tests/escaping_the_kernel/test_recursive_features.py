"""Recursive features against autograd, against refitting, under rotations, and where the hidden subspace is known."""

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.escaping_the_kernel import recursive_features
from beyond_kernel.escaping_the_kernel.recursive_features import (
    average_gradient_outer_product,
    fit_metric,
    fit_oracle_kernel,
    fit_recursive_features,
    recursive_rounds,
)
from beyond_kernel.foundations.learning.learners import risk_of
from beyond_kernel.foundations.learning.samples import Problem, Sample, draw_problem
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.kernel_regime.kernel_learners import fit_gaussian_kernel
from beyond_kernel.random_streams import generator_for

NOTHING = generator_for(0, "not used")


def problem_of(text: str, d: int, n: int, seed: int) -> Problem:
    return draw_problem(parse_target(text, d, seed).normalised(), n, 0.1, seed, n_test=2000)


def test_average_gradient_outer_product_is_that_of_autograd():
    generator = generator_for(0, "autograd")
    X, c = torch.randn(30, 5, generator=generator), torch.randn(30, generator=generator)
    X, c = X.double(), c.double()
    root = torch.randn(5, 5, generator=generator).double()
    metric = root @ root.T

    def predictor(x):
        gaps = x - X
        return torch.exp(-((gaps @ metric) * gaps).sum(1) / (2 * 1.7**2)) @ c

    gradients = torch.func.vmap(torch.func.grad(predictor))(X)
    expected = sum(torch.outer(g, g) for g in gradients) / 30
    assert torch.allclose(average_gradient_outer_product(X, c, 1.7, metric), expected, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_rotated_inputs_give_the_same_predictions(seed):
    problem = problem_of("(h2(z1) + z1*z2)/sqrt(2)", 6, 80, seed)
    rotation = torch.linalg.qr(torch.randn(6, 6, generator=generator_for(seed, "rotation"), dtype=torch.float64)).Q
    turned = Problem(Sample(problem.train.X @ rotation.T, problem.train.y), problem.test)
    plain, rotated = (fit_recursive_features(p, NOTHING, rounds=2) for p in (problem, turned))
    # rounding is amplified by the condition of K + n penalty I, up to 1e8 at the smallest penalty, and twice
    assert torch.allclose(plain(problem.test.X), rotated(problem.test.X @ rotation.T), atol=1e-4)
    metric, other = (model.kernel.keywords["metric"] for model in (plain, rotated))
    assert torch.allclose(other, rotation @ metric @ rotation.T, atol=1e-4)


def test_left_out_errors_are_those_of_refitting_without_each_sample(monkeypatch):
    """Also above the size from which a fixed kernel's penalty is chosen by generalised cross-validation."""
    monkeypatch.setattr("beyond_kernel.foundations.learning.ridge.MOST_LEFT_OUT", 10)
    train = problem_of("z1*z2", 4, 40, 0).train
    metric = torch.diag(torch.tensor([3.0, 2.0, 0.5, 0.1], dtype=torch.float64))
    model = fit_metric(train, metric)
    length, M = model.kernel.keywords["length"], (metric * 4 / 5.6).numpy()
    X, y, misses = train.X.numpy(), train.y.numpy(), []
    gaps = X[:, None] - X[None]
    gram = np.exp(-np.einsum("abi,ij,abj->ab", gaps, M, gaps) / (2 * length**2))
    for i in range(40):
        kept = np.arange(40) != i
        dual = np.linalg.solve(gram[np.ix_(kept, kept)] + 40 * model.fit.penalty * np.eye(39), y[kept])
        misses.append(y[i] - gram[i, kept] @ dual)
    assert np.mean(np.square(misses)) == pytest.approx(model.fit.loss, rel=1e-5)


def test_without_rounds_it_is_the_tuned_gaussian_kernel():
    problem = problem_of("z1*z2", 5, 120, 1)
    fixed, bare = fit_gaussian_kernel(problem, NOTHING), fit_recursive_features(problem, NOTHING, rounds=0)
    assert fixed.kernel.keywords["length"] == bare.kernel.keywords["length"]
    assert torch.allclose(fixed(problem.test.X), bare(problem.test.X), atol=1e-8)


@pytest.mark.parametrize("seed", range(5))
def test_finds_the_subspace_of_a_product_where_the_fixed_kernel_pays_for_every_direction(seed):
    """At 12 other seeds: energy in the plane 0.999 and more, risk 0.52 of the fixed kernel's at most."""
    problem = problem_of("z1*z2", 10, 250, seed)
    model = fit_recursive_features(problem, NOTHING)
    U, metric = problem.task.directions, model.kernel.keywords["metric"]
    assert float(metric.trace()) == pytest.approx(10)
    assert float((U.T @ metric @ U).trace() / metric.trace()) > 0.98
    learnt, fixed = (risk_of(fit, problem, NOTHING).value for fit in (fit_recursive_features, fit_gaussian_kernel))
    assert learnt < 0.75 * fixed


def test_rounds_come_one_by_one_and_the_first_has_the_identity():
    train = problem_of("z1*z2", 5, 80, 0).train
    found = recursive_rounds(train, 2)
    metrics = [predictor.kernel.keywords["metric"] for predictor in found]
    assert len(found) == 3 and torch.equal(metrics[0], torch.eye(5, dtype=torch.float64))
    for before, after in zip(found, metrics[1:], strict=False):
        gradient = average_gradient_outer_product(train.X, before.fit.coefficients, **before.kernel.keywords)
        assert torch.allclose(after, gradient * (5 / gradient.trace()))
    assert len(recursive_rounds(Sample(train.X, torch.zeros_like(train.y)), 3)) == 1


def test_the_oracle_kernel_is_the_gaussian_kernel_in_the_hidden_coordinates():
    """With U U' of trace d and length s sqrt(d), two inputs are as far apart as their z with length s sqrt(r)."""
    problem = problem_of("z1*z2", 7, 100, 0)
    U = problem.task.directions
    inside = Problem(Sample(problem.train.X @ U, problem.train.y), None)
    oracle, plain = fit_oracle_kernel(problem, NOTHING), fit_gaussian_kernel(inside, NOTHING)
    # rounding is amplified by the condition of K + n penalty I, up to 1e8 at the smallest penalty
    assert torch.allclose(oracle(problem.test.X), plain(problem.test.X @ U), atol=1e-5)
    longer = fit_oracle_kernel(problem, NOTHING, scales=(3.0,))
    assert longer.kernel.keywords["length"] == pytest.approx(3 * 7**0.5)
    with pytest.raises(BadParameter, match="no directions"):
        fit_oracle_kernel(Problem(problem.train, problem.test), NOTHING)


def test_generalised_cross_validation_is_had_where_it_is_asked_for():
    """Its loss is |c|^2 / n over the square of the mean of (A^-1)_ii; the code estimates that mean from one probe."""
    train = problem_of("z1*z2", 4, 60, 0).train
    metric = torch.diag(torch.tensor([3.0, 2.0, 0.5, 0.1], dtype=torch.float64))
    model = fit_metric(train, metric, scales=(1.0,), most_left_out=0)
    K = model.kernel(train.X)
    for penalty, loss in list(zip(model.fit.penalties, model.fit.losses, strict=True))[6::3]:
        inverse = torch.linalg.inv(K + 60 * penalty * torch.eye(60, dtype=torch.float64))
        exact = (inverse @ train.y).square().mean() / inverse.diagonal().mean() ** 2
        assert float(loss) == pytest.approx(float(exact), rel=0.5)  # the spread of one probe of 60 signs


def test_a_round_that_loses_is_not_taken():
    """The predictor is the one of least left-out error; more rounds can only lower that."""
    problem = problem_of("h3(z1)", 8, 60, 0)
    losses = [fit_recursive_features(problem, NOTHING, rounds).fit.loss for rounds in range(4)]
    assert losses == sorted(losses, reverse=True)


def test_labels_that_teach_nothing_are_survived():
    X = problem_of("z1", 4, 30, 0).train.X
    flat = Problem(Sample(X, torch.zeros(30, dtype=torch.float64)), None)
    assert not fit_recursive_features(flat, NOTHING)(X).any()


def test_dtype_and_device_follow_the_sample():
    problem = problem_of("z1*z2", 4, 60, 0)
    single = Problem(Sample(problem.train.X.float(), problem.train.y.float()), None)
    model = fit_recursive_features(single, NOTHING)
    assert model.kernel.keywords["metric"].dtype == model(single.train.X).dtype == torch.float32


def test_cost_is_one_eigendecomposition_for_each_round_and_length(monkeypatch):
    calls = []
    eigh = torch.linalg.eigh
    monkeypatch.setattr(torch.linalg, "eigh", lambda A: calls.append(len(A)) or eigh(A))
    fit_recursive_features(problem_of("z1*z2", 4, 50, 0), NOTHING, rounds=3)
    assert calls == [50] * (4 * 3)


def test_bad_input_is_refused_with_a_sentence(monkeypatch):
    problem = problem_of("z1*z2", 4, 60, 0)
    with pytest.raises(BadParameter, match="rounds = -1"):
        fit_recursive_features(problem, NOTHING, rounds=-1)
    with pytest.raises(BadParameter, match="metric has the trace 0"):
        fit_metric(problem.train, torch.zeros(4, 4, dtype=torch.float64))
    with pytest.raises(BadParameter, match="kernels is empty"):
        fit_recursive_features(problem, NOTHING, scales=())
    monkeypatch.setattr(recursive_features, "MOST_SAMPLES", 50)
    with pytest.raises(BadParameter, match="the sample has 60 points: .* at most 50"):
        fit_recursive_features(problem, NOTHING)


def test_the_round_of_least_left_out_error_is_kept_and_not_the_last(monkeypatch):
    """Metrics that see one wrong direction alone: the first round, with the identity, is the best of all."""
    problem = draw_problem(parse_target("z1*z2", 6, 0), 100, 0.1, 0, n_test=2)
    wrong = torch.linalg.svd(problem.task.directions, full_matrices=True).U[:, -1:]
    monkeypatch.setattr(recursive_features, "average_gradient_outer_product", lambda *args, **named: wrong @ wrong.T)
    found, plain = (fit_recursive_features(problem, generator_for(0), rounds=rounds) for rounds in (2, 0))
    assert found.fit.loss == plain.fit.loss
    assert torch.equal(found.kernel.keywords["metric"], torch.eye(6, dtype=torch.float64))
