"""Transfer needs few samples whatever the dimension, training from scratch about d^2, and the cells are honest."""

import numpy as np
import pytest

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.inputs.laws import gaussian
from beyond_kernel.foundations.learning.measures import subspace_overlap
from beyond_kernel.foundations.learning.networks import random_network
from beyond_kernel.foundations.learning.samples import draw_problem
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.frozen_representation import fit_transferred, paired_targets, pretrain, unseen_share

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


def test_oracle_sees_the_hidden_subspace_only():
    source, _ = paired_targets(SOURCE, TARGET, 12, seed=2)
    network = random_network(50, source.directions, generator_for(0))
    X = gaussian(20, 12, generator_for(0, "x"))
    inside = X @ source.directions @ source.directions.T
    assert np.allclose(network.features(X), network.features(inside))


def test_bad_input_is_refused_with_a_sentence():
    with pytest.raises(BadParameter, match="z9"):
        paired_targets(SOURCE, "z9", 5, 0)
