"""A metric carried over is worth more than neurons with a new head; all see the same labels, and no other."""

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.transfer import carried_over_cells as module
from beyond_kernel.transfer.carried_over_cells import CARRIED, carried_cell

SOURCE = "(h2(z1) - h2(z2) + h2(z1)*h2(z2) + h3(z1))/2"
TARGET = "(z1*z2 + h2(z1)*z2)/sqrt(2)"


def test_a_metric_is_worth_more_than_a_head_on_both_tasks(monkeypatch):
    """4 d^2 source labels, d = 10: risk of the neurons over that of their metric; 2.0 to 3.7 in 20 groups of seeds."""
    monkeypatch.setattr(module, "fit_fine_tuned", module.fit_transferred)  # is tested elsewhere, and slow
    runs = [carried_cell(SOURCE, TARGET, 10, 400, [128], 200, 0.1, n_test=2000, seed=seed) for seed in range(2)]
    own, risk = (np.log([run[name] for run in runs]).mean(0) for name in ("own", "risk"))
    assert own[0] - own[2] > np.log(1.3) and risk[0, 0] - risk[2, 0] > np.log(1.3)
    assert risk[4, 0] - risk[0, 0] > np.log(1.3)  # and either beats a network trained from scratch


def test_every_learner_sees_the_labels_of_one_task_alone(monkeypatch):
    """n labels of the source teach layer and metrics, N labels of the target the rest; scale and noise tell them."""
    seen = {}

    def spied(name):
        original = getattr(module, name)

        def spy(problem, *rest, **options):
            seen.setdefault(name, []).append(getattr(problem, "train", problem))
            slow = name in ("fit_fine_tuned", "fit_trained_network")
            return (lambda X: torch.zeros_like(X[:, 0])) if slow else original(problem, *rest, **options)

        monkeypatch.setattr(module, name, spy)

    names = ("one_step_features", "fit_recursive_features", "fit_metric", "fit_head")
    fits = ("fit_transferred", "fit_fine_tuned", "fit_transferred_metric", "fit_trained_network")
    for name in names + fits:
        spied(name)
    found = carried_cell(SOURCE, TARGET, 5, 60, [20, 30], 20, 0.1, n_test=50, seed=3)
    assert found["risk"].shape == (len(CARRIED), 2) and np.isnan(found["own"][1])
    first = seen["one_step_features"][0]
    assert all(torch.equal(train.y, first.y) and len(train) == 60 for name in names for train in seen[name])
    counts = {name: [len(train) for train in seen[name]] for name in fits}
    assert counts["fit_transferred"] == counts["fit_fine_tuned"] == counts["fit_trained_network"] == [20, 30]
    assert counts["fit_transferred_metric"] == [20, 20, 30, 30]
    assert all(torch.equal(seen[name][0].y, seen["fit_transferred"][0].y) for name in fits)


def test_the_metric_of_the_neurons_is_their_gram_matrix(monkeypatch):
    given = []
    original = module.fit_transferred_metric
    monkeypatch.setattr(
        module, "fit_transferred_metric", lambda p, g, metric: (given.append(metric), original(p, g, metric))[1]
    )
    monkeypatch.setattr(module, "fit_fine_tuned", module.fit_transferred)
    widths = []
    monkeypatch.setattr(
        module, "fit_trained_network", lambda problem, generator, width: (widths.append(width), lambda X: X[:, 0])[1]
    )
    layers = []
    features = module.one_step_features
    monkeypatch.setattr(module, "one_step_features", lambda *args: (layers.append(features(*args)), layers[-1])[1])
    carried_cell(SOURCE, TARGET, 5, 60, [20], 20, 0.1, n_test=50, seed=0)
    W = layers[0][1].W
    assert widths == [len(W)] == [20]  # the rival from scratch is as wide as the first layer
    assert torch.allclose(given[0], sum(torch.outer(w, w) for w in W), atol=1e-5)
    assert not torch.allclose(given[0] / given[0].trace(), given[1] / given[1].trace(), atol=1e-2)


def test_bad_input_is_refused_with_a_sentence():
    with pytest.raises(BadParameter, match=r"sizes\[0\] = 4"):
        carried_cell(SOURCE, TARGET, 5, 60, [4], 20, 0.1, seed=0)
    with pytest.raises(BadParameter, match="z7"):
        carried_cell(SOURCE, "z7", 5, 60, [20], 20, 0.1, seed=0)
