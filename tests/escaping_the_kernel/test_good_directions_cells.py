"""The cells against quadrature and independent counts, and what the chapter says of the regulariser, at small size."""

import functools

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles

from beyond_kernel.checks import BadParameter
from beyond_kernel.escaping_the_kernel.good_directions import fit_joint_model, fit_regularised_model, split_linear_part
from beyond_kernel.escaping_the_kernel.good_directions_cells import joint_cell, spectrum_cell, spread_target
from beyond_kernel.escaping_the_kernel.recursive_features import fit_recursive_features
from beyond_kernel.escaping_the_kernel.taylor_model import tangent_gram, taylor_start
from beyond_kernel.foundations.inputs.laws import sphere
from beyond_kernel.foundations.learning.learning_cells import learner_risk_cell
from beyond_kernel.foundations.learning.samples import draw_problem
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.kernel_regime.staircase import dual_spectrum
from beyond_kernel.random_streams import generator_for

TARGET = "(z1 + h2(z2))/sqrt(2)"
SMALL = {"target": TARGET, "d": 20, "n": 89, "width": 200}


def test_the_spectrum_has_the_steps_that_the_funk_hecke_formula_predicts():
    """At 20 seeds the medians of both steps lay within 5 % of the kernel's eigenvalues."""
    d, n = 10, 600
    found = spectrum_cell(d, n, 2000, seed=0)["eigenvalues"]
    levels = dual_spectrum("first layer", d, n, "shifted sigmoid").eigenvalues
    assert np.median(found[:d]) == pytest.approx(float(levels[1]), rel=0.1)
    assert np.median(found[d + 1 : d + 1 + 54]) == pytest.approx(float(levels[2]), rel=0.15)
    assert found[d] == pytest.approx(float(levels[0]), rel=0.15)


def test_eigenvalues_descend_and_add_up_to_the_mean_of_the_diagonal():
    found = spectrum_cell(6, 30, 40, seed=1)["eigenvalues"]
    X = sphere(30, 6, generator_for(1, "points", 30, 6))
    start = taylor_start(40, 6, generator_for(1, "start", 40, 6))
    inner = X @ start.W0.T
    slope = torch.sigmoid(inner - 1) * torch.sigmoid(1 - inner)
    assert (np.diff(found) <= 0).all()
    assert found.sum() == pytest.approx(6 * float(slope.square().mean()), rel=1e-9)  # |x|^2 = 6, and 2 twins over m


def test_alignment_is_the_angle_that_scipy_finds():
    d, n = 6, 40
    X = sphere(n, d, generator_for(2, "points", n, d))
    gram = tangent_gram(taylor_start(30, d, generator_for(2, "start", 30, d)), X)
    leading = torch.linalg.svd(gram).U[:, : d + 1].numpy()
    angles = subspace_angles(leading, np.column_stack([np.ones(n), X.numpy()]))
    assert spectrum_cell(d, n, 30, seed=2)["alignment"] == pytest.approx(np.cos(angles.max()), abs=1e-9)


def test_the_regularised_joint_model_leaves_less():
    """Mean of three seeds, d = 20, n = d^1.5: at 20 groups of other seeds the ratio was at most 0.8."""
    risks = [[joint_cell(**SMALL, penalty=penalty, seed=seed)["risk"] for seed in range(3)] for penalty in (0.0, 1.0)]
    assert np.mean(risks[1]) < 0.85 * np.mean(risks[0])


def test_recursive_features_lead_with_more_samples():
    """At n = 2 d^1.5, where at d = 30 the ratio of means was at most 0.06 in six groups of three seeds."""
    options = {"target": TARGET, "d": 20, "n": 178, "noise": 0.0, "law": "sphere", "n_test": 500, "seed": 0}
    joint = functools.partial(fit_regularised_model, width=200)
    kernel, model = (learner_risk_cell(fit, **options)["risk"] for fit in (fit_recursive_features, joint))
    assert kernel < 0.5 * model


def test_the_target_of_the_authors_on_two_laws():
    """One direction for both parts: over five seeds the mean ratio was 0.51 on the sphere and 0.61 with lengths."""
    setting = {"target": "(He2(z1) + z1)/sqrt(3)", "d": 30, "n": 164, "width": 600, "seed": 0}
    for law in ("sphere", "gaussian"):
        risks = [joint_cell(**setting, penalty=penalty, law=law)["risk"] for penalty in (0.0, 1.0)]
        assert risks[1] < 0.9 * risks[0], law


def test_bad_directions_remember_and_the_regulariser_stops_it():
    free, held = (joint_cell(**SMALL, penalty=penalty, seed=1) for penalty in (0.0, 1.0))
    assert free["seen"][1] > 0.05 and held["seen"][1] < 0.01
    assert free["fresh"][1] < 0.5 * free["seen"][1]
    assert max(free["seen"][2], held["seen"][2]) < 1e-6
    assert held["squares"][2] > 5 * held["squares"][:2].sum()
    assert held["learnt"][1] > free["learnt"][1]
    assert abs(held["eigenvalues"][0]) == np.abs(held["eigenvalues"]).max()


def test_a_dense_quadratic_target_gains_nothing():
    """The same energies in 19 quadratic directions: of ten seeds the least ratio was 1.1."""
    dense = SMALL | {"target": spread_target(19)}
    risks = [joint_cell(**dense, penalty=penalty, seed=0)["risk"] for penalty in (0.0, 1.0)]
    assert risks[1] > risks[0]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_spread_target_has_so_many_directions_of_equal_energy(count):
    target = parse_target(spread_target(count), 8)
    assert target.hessian_rank() == count and target.energy_by_degree().tolist() == pytest.approx([0, 0.5, 0.5])
    values = torch.linalg.eigvalsh(target.expected_hessian())
    assert sorted(values.abs().tolist())[-count:] == pytest.approx([count**-0.5] * count)
    assert abs(round(float(values.sum()) * count**0.5)) == count % 2


def test_the_cosine_is_that_of_the_leading_direction_alone():
    """For a large sample the leading direction is the target's; for a linear target there is none to be found."""
    assert joint_cell("(z1 + 2*h2(z2))/sqrt(5)", 6, 100, 200, 1.0, seed=0)["cosine"] > 0.98
    plain = joint_cell("z1", 6, 60, 40, 1.0, seed=0)
    assert np.isnan(plain["cosine"]) and np.isnan(plain["learnt"][1])
    assert plain["learnt"][0] == pytest.approx(1, abs=0.05) and plain["risk"] < 0.02


def test_what_a_cell_returns_is_recomputed_by_hand():
    """At this seed the leading direction is at a right angle to the true one and another near it; Var f* is 0.81."""
    target, seed = parse_target(TARGET, 6, 7), 7
    found = joint_cell(TARGET, 6, 20, 40, 0.0, steps=50, precision="float64", seed=seed)
    problem = draw_problem(target, 20, 0.0, seed, "sphere", 2000)
    model = fit_joint_model(problem, generator_for(seed, "start", 40, 6), width=40, steps=50)
    unit = float(problem.test.truth.numpy().var())
    W, W0 = model.W.numpy(), model.W0.numpy()
    values, vectors = np.linalg.eigh(W[:20].T @ W[:20] - W[20:].T @ W[20:])
    cosines = np.abs(vectors.T @ target.frame[:, 1].numpy())
    assert found["cosine"] == pytest.approx(cosines[np.abs(values).argmax()], abs=1e-9)
    assert found["cosine"] < 0.1 < 0.7 < cosines.max()
    for name, X in (("risk", problem.test.X), ("loss", problem.train.X)):
        gap = (model(X) - target(X)).numpy()
        assert found[name] == pytest.approx((gap**2).mean() / unit, rel=1e-9), name
    seen = model.linear_part(problem.train.X).numpy()
    parts = split_linear_part(model, problem.train.X, problem.train.X, 7).values.numpy()
    assert np.allclose(parts.sum(0), seen) and np.allclose(found["seen"], (parts**2).mean(1) / unit)
    sigma = lambda z: 1 / (1 + np.exp(1 - z))  # noqa: E731
    inner = problem.test.X.numpy() @ (np.concatenate([W0, W0]) + W).T
    network = (sigma(inner[:, :20]) - sigma(inner[:, 20:])).sum(1) / 40**0.5
    missed = ((network - problem.test.truth.numpy()) ** 2).mean() / unit
    assert found["network"] == pytest.approx(missed, rel=1e-9)


def test_cosine_and_fractions_before_any_step():
    """Nothing has moved: the prediction is zero, the risk E f^2 / Var f = 1 for centred targets."""
    still = joint_cell(TARGET, 6, 60, 40, 1.0, steps=0, seed=0)
    assert still["risk"] == pytest.approx(1, rel=0.1) and still["loss"] == pytest.approx(1, rel=0.4)
    assert np.abs(still["learnt"]).max() == 0 and still["squares"].max() == 0


def test_both_precisions_tell_the_same():
    single, double = (
        joint_cell(**SMALL, penalty=1.0, steps=100, precision=name, seed=2) for name in ("float32", "float64")
    )
    for name in ("risk", "loss", "cosine", "fresh", "squares"):
        assert np.allclose(single[name], double[name], rtol=1e-2, atol=1e-4), name


def test_a_seed_repeats_and_another_does_not():
    first, again, other = (joint_cell(TARGET, 6, 60, 40, 1.0, steps=20, seed=seed)["risk"] for seed in (0, 0, 1))
    assert first == again != other


def test_bad_input_is_a_sentence():
    with pytest.raises(BadParameter, match="n = 6 is out of range: it must be a whole number of at least 7"):
        joint_cell(TARGET, 6, 6, 40, 1.0, seed=0)
    with pytest.raises(BadParameter, match="n = 6 is out of range: it must be a whole number of at least 7"):
        spectrum_cell(6, 6, 40, seed=0)
    with pytest.raises(BadParameter, match="width = 41"):
        joint_cell(TARGET, 6, 60, 41, 1.0, seed=0)
    with pytest.raises(BadParameter, match="protected = 61 directions are more than the 60 samples"):
        joint_cell(TARGET, 6, 60, 40, 1.0, protected=61, seed=0)
    with pytest.raises(BadParameter, match="penalty = -1"):
        joint_cell(TARGET, 6, 60, 40, -1.0, seed=0)
    with pytest.raises(BadParameter, match="count = 0"):
        spread_target(0)
