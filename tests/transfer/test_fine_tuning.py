"""Fine-tuning starts from the source's layer with a fitted head, moves all weights, and pays for every label."""

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.trained_network import BATCH, SideBySide
from beyond_kernel.foundations.learning.heads import fit_head
from beyond_kernel.foundations.learning.held_out import split_fifth
from beyond_kernel.foundations.learning.networks import random_network
from beyond_kernel.foundations.learning.samples import Problem, Sample, draw_problem
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer import fine_tuning as module
from beyond_kernel.transfer.fine_tuning import fit_fine_tuned

TARGET = parse_target("h2(z1)", 5)


def layer(dtype: torch.dtype = torch.float64):
    whole = torch.eye(5, dtype=torch.float64)
    return random_network(40, whole, generator_for(0, "layer")).to(whole.to(dtype))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_without_a_better_look_it_is_the_frozen_head_of_four_fifths(dtype):
    """Step sizes of 1e-12 move nothing: the prediction is that of a head on what was not held out, mean apart."""
    problem = draw_problem(TARGET, 60, 0.1, 1, n_test=50, dtype=dtype)
    found = fit_fine_tuned(problem, generator_for(4), layer(dtype), steps=1, rates=(1e-12,), decays=(0.0,))
    kept, held = split_fifth(problem.train, generator_for(4))
    offset, scale = float(kept.y.mean()), float(kept.y.std(correction=0))
    head = fit_head(Sample(kept.X.double(), (kept.y.double() - offset) / scale), layer())
    assert found(problem.test.X).dtype == dtype and len(held) == 12
    expected = offset + scale * head(problem.test.X.double())
    assert torch.allclose(found(problem.test.X).double(), expected, atol=2e-2)
    assert found.loss == pytest.approx(float((found(held.X) - held.y).square().mean()), rel=1e-3)


def test_training_all_weights_lowers_the_held_out_error_of_a_poor_layer():
    """Ten random neurons cannot fit the target, trained ones can; step 0 is among the looks, so it is never worse."""
    problem = draw_problem(TARGET, 400, 0.1, 2, n_test=2000)
    network = random_network(10, torch.eye(5, dtype=torch.float64), generator_for(3))
    still = fit_fine_tuned(problem, generator_for(5), network, steps=1, rates=(1e-12,), decays=(0.0,))
    moved = fit_fine_tuned(problem, generator_for(5), network)
    assert moved.loss < 0.5 * still.loss and moved.steps > 0
    assert not torch.allclose(moved.network.W, still.network.W, atol=1e-2)
    assert not torch.allclose(moved.network.b, still.network.b, atol=1e-2)
    errors = [float((fit(problem.test.X) - problem.test.truth).square().mean()) for fit in (still, moved)]
    assert errors[1] < 0.5 * errors[0]


def test_no_held_out_label_is_trained_on_and_all_others_equally_often(monkeypatch):
    seen = []
    original = SideBySide.step
    monkeypatch.setattr(SideBySide, "step", lambda self, X, y: (seen.append((X, y)), original(self, X, y)))
    problem = draw_problem(TARGET, 80, 0.1, 1, n_test=10, dtype=torch.float32)
    fit_fine_tuned(problem, generator_for(6), layer(), steps=6)
    kept, _ = split_fifth(problem.train, generator_for(6))
    assert {len(X) for X, _ in seen} == {BATCH}
    rows = torch.cat([X[:, :-1] for X, _ in seen])
    counts = [(rows == x).all(1).sum() for x in kept.X]
    assert len(kept) == 64 and len(rows) == 6 * BATCH and set(map(int, counts)) == {3}


def test_each_option_is_tried_and_the_best_look_is_kept(monkeypatch):
    asked = []
    original = module.SideBySide

    def spy(start, pairs, steps):
        asked.extend(pairs)
        return original(start, pairs, steps)

    monkeypatch.setattr(module, "SideBySide", spy)
    found = fit_fine_tuned(draw_problem(TARGET, 50, 0.1, 1, n_test=10), generator_for(1), layer(), steps=200)
    assert asked == [(rate, decay) for rate in (0.001, 0.003, 0.01) for decay in (0.01, 0.1)]
    assert (found.rate, found.decay) in asked and found.steps in (0, 200)


def test_bad_input_is_refused_with_a_sentence():
    problem = draw_problem(TARGET, 4, 0.1, 1, n_test=10)
    with pytest.raises(BadParameter, match="at least 5"):
        fit_fine_tuned(problem, generator_for(0), layer())
    constant = Problem(Sample(torch.ones(6, 5).double(), torch.ones(6).double()), problem.test, TARGET)
    assert np.isfinite(fit_fine_tuned(constant, generator_for(0), layer(), steps=2)(problem.test.X).numpy()).all()
    with pytest.raises(BadParameter, match=r"rates\[0\] = 0"):
        fit_fine_tuned(draw_problem(TARGET, 20, 0.1, 1, n_test=10), generator_for(0), layer(), rates=(0.0,))
