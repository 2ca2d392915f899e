"""Transfer needs few samples whatever the dimension, training from scratch about d^2, and the cells are honest."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.inputs.laws import gaussian
from beyond_kernel.foundations.learning.measures import subspace_overlap
from beyond_kernel.foundations.learning.networks import random_network
from beyond_kernel.foundations.learning.samples import draw_problem
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer import frozen_representation as module
from beyond_kernel.transfer.frozen_representation import (
    fit_transferred,
    fit_transferred_metric,
    paired_targets,
    pretrain,
    pretrain_metric,
    unseen_share,
)

SOURCE = "(h2(z1) - h2(z2) + h2(z1)*h2(z2) + h3(z1))/2"
TARGET = "(z1*z2 + h2(z1)*z2)/sqrt(2)"


def test_source_and_target_share_their_directions():
    source, target = paired_targets(SOURCE, TARGET, 15, seed=3)
    assert np.allclose(source.directions, target.directions)
    assert source.second_moment == pytest.approx(1) and target.second_moment == pytest.approx(1)
    _, wider = paired_targets(SOURCE, "z1*z2 + z3", 15, seed=3)
    assert np.allclose(source.frame, wider.frame[:, :2])


def test_unseen_share_counts_directions_that_the_source_hessian_misses():
    def share(source, target):
        return unseen_share(*paired_targets(source, target, 8, 0))

    assert share(SOURCE, TARGET) == pytest.approx(0, abs=1e-12)
    assert share("h2(z1) + h3(z2)", "z1*z2") == pytest.approx(1 / 2)
    assert share("h2(z1)", "h2(z2)") == pytest.approx(1)
    assert share("h3(z1)", "h2(z1)") == pytest.approx(1)


def test_pretraining_finds_the_subspace_and_repeats():
    source, _ = paired_targets(SOURCE, TARGET, 16, seed=1)
    first, second = pretrain(source, 64 * 256, 200, 0.1, 1), pretrain(source, 64 * 256, 200, 0.1, 1)
    assert np.array_equal(first.W, second.W) and first.b.any()
    assert float(subspace_overlap(first.W, source.directions).mean()) > 0.85  # .91 at every seed tried


def test_a_new_head_keeps_the_frozen_layer_and_fits_its_own_labels():
    source, target = paired_targets(SOURCE, TARGET, 10, seed=4)
    network = pretrain(source, 4000, 100, 0.1, 4)
    problem = draw_problem(target, 60, 0.1, 4, n_test=700)
    model = fit_transferred(problem, generator_for(0), network)
    assert np.allclose(model.network.W, model.scale * network.W) and np.array_equal(model.network.b, network.b)
    penalty = 60 * model.fit.penalty
    features = model.network.features(problem.train.X).numpy()
    by_hand = np.linalg.solve(features.T @ features + penalty * np.eye(100), features.T @ problem.train.y.numpy())
    assert np.allclose(model(problem.test.X), model.network.features(problem.test.X).numpy() @ by_hand, atol=1e-6)


def test_a_metric_from_d_squared_samples_lies_in_the_hidden_plane_and_repeats():
    """Trace d, no negative direction, and .96 to 1.00 of its trace in the plane at twenty seeds (a tenth by chance)."""
    source, _ = paired_targets(SOURCE, TARGET, 20, seed=1)
    metric, again = pretrain_metric(source, 400, 0.1, 1), pretrain_metric(source, 400, 0.1, 1)
    assert torch.equal(metric, again) and torch.allclose(metric, metric.T, atol=1e-12)
    assert float(metric.trace()) == pytest.approx(20) and float(torch.linalg.eigvalsh(metric).min()) > -1e-9
    U = source.directions
    assert float((U.T @ metric @ U).trace()) / 20 > 0.9


def test_both_sources_see_the_same_labels_and_no_other(monkeypatch):
    drawn = []

    def spy(*arguments, **options):
        drawn.append(original(*arguments, **options))
        return drawn[-1]

    original = module.draw_sample
    monkeypatch.setattr(module, "draw_sample", spy)
    source, _ = paired_targets(SOURCE, TARGET, 6, seed=2)
    pretrain(source, 150, 20, 0.1, 2)
    pretrain_metric(source, 150, 0.1, 2)
    assert [len(sample) for sample in drawn] == [150, 150]
    assert torch.equal(drawn[0].X, drawn[1].X) and torch.equal(drawn[0].y, drawn[1].y)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_a_kept_metric_is_a_plain_gaussian_kernel_after_a_change_of_coordinates(dtype):
    """Inputs R x with R R' = M of trace d: the kernel is scipy's distance there, the coefficients numpy's solution."""
    _, target = paired_targets(SOURCE, TARGET, 5, seed=3)
    problem = draw_problem(target, 40, 0.1, 3, n_test=30, dtype=dtype)
    R = np.random.default_rng(0).normal(size=(5, 5))
    found = fit_transferred_metric(problem, generator_for(0), torch.tensor(R @ R.T))
    X, Z = (points.X.double().numpy() @ R * (5 / np.trace(R @ R.T)) ** 0.5 for points in (problem.train, problem.test))
    length = found.kernel.keywords["length"]
    assert length / 5**0.5 in (0.5, 1.0, 2.0) and found.X is problem.train.X
    kernel, cross = (np.exp(-cdist(A, X, "sqeuclidean") / (2 * length**2)) for A in (X, Z))
    by_hand = np.linalg.solve(kernel + 40 * found.fit.penalty * np.eye(40), problem.train.y.double().numpy())
    prediction = found(problem.test.X)
    assert prediction.dtype == dtype
    exact = 1e-6 if dtype == torch.float64 else 1e-2
    assert np.allclose(prediction.numpy(), cross @ by_hand, atol=exact)


def test_oracle_sees_the_hidden_subspace_only():
    source, _ = paired_targets(SOURCE, TARGET, 12, seed=2)
    network = random_network(50, source.directions, generator_for(0))
    X = gaussian(20, 12, generator_for(0, "x"))
    inside = X @ source.directions @ source.directions.T
    assert np.allclose(network.features(X), network.features(inside))


def test_bad_input_is_refused_with_a_sentence():
    with pytest.raises(BadParameter, match="z9"):
        paired_targets(SOURCE, "z9", 5, 0)
    source, target = paired_targets(SOURCE, TARGET, 6, 0)
    with pytest.raises(BadParameter, match="3201 points"):
        pretrain_metric(source, 3201, 0.1, 0)
    with pytest.raises(BadParameter, match="metric has the trace 0"):
        fit_transferred_metric(draw_problem(target, 20, 0.1, 0), generator_for(0), torch.zeros(6, 6).double())
