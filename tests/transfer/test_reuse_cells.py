"""Curves over source and target samples and over dimensions: what the paper prints, and cells that count honestly."""

import functools

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning.learners import risk_of
from beyond_kernel.foundations.learning.measures import samples_to_reach
from beyond_kernel.foundations.learning.samples import Problem, Sample, draw_matched_sample
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer import reuse_cells as module
from beyond_kernel.transfer.frozen_representation import fit_transferred
from beyond_kernel.transfer.reuse_cells import head_needs_cell, source_grid_cell
from beyond_kernel.transfer.streamed_step import pretrain_streamed

SOURCE = "(h2(z1) - h2(z2) + h2(z1)*h2(z2) + h3(z1))/2"
HEADS = ["(z1*z2 + h2(z1)*z2)/sqrt(2)", "z1*h2(z2)", "h3(z1)"]
SIZES = [32, 64, 90, 128, 181, 256, 362]


def needs(d: int, layer: str = "transferred", **changed) -> dict:
    given = {"source": SOURCE, "heads": HEADS, "source_ratio": 64.0, "sizes": SIZES, "repeats": 2, "width": 400}
    return head_needs_cell(**(given | {"noise": 0.1, "n_test": 2000, "seed": 0} | changed), d=d, layer=layer)


def test_the_curves_come_in_the_order_of_the_published_figure():
    """d = 10, noise 1: what d^0 and d^1 source samples buy is nothing, then the more there are the less is left.

    At N = d^3 the paper's curves stand at .98, .98, .90, .36, .13 and .08 for n = d^0, ..., d^5.
    """
    grid = [
        source_grid_cell(
            "h2(z1) + h3(z1)", "h3(z1)", 10, [10**k for k in range(6)], [1, 100, 1000], 100, 1.0, seed=seed
        )["risk"]
        for seed in range(3)
    ]
    risk = np.median(grid, 0)
    assert risk.shape == (6, 3) and (np.array(grid) > 0).all()
    assert risk[:2, 2].min() > 0.8 and (np.diff(risk[1:5, 2]) < 0).all()
    published = np.array([0.98, 0.98, 0.90, 0.36, 0.13, 0.08])
    assert (np.abs(np.log(risk[:, 2] / published)) < np.log(2.5)).all()  # means of 60 seeds are within 1.7


def test_transfer_needs_hardly_more_samples_in_a_large_dimension():
    """The slope of log N* on log d, mean of three targets: .02 to .20 at each of 26 seeds, d = 10, 24 and 80."""
    found = {d: needs(d) for d in (10, 40)}
    slopes = np.log(found[40]["needed"] / found[10]["needed"]) / np.log(4)
    assert slopes.mean() < 0.3 and found[40]["overlap"] > 0.85


def test_fewer_source_samples_cost_more_target_samples():
    few, many = needs(20, source_ratio=4.0), needs(20)
    assert few["overlap"] < many["overlap"] - 0.2
    assert np.log(few["risk"] / many["risk"])[:, 1].mean() > 0.3


def test_shares_are_of_neurons_and_energy_is_of_the_layer():
    """Both by an orthonormal basis of all inputs; short neurons lean out more, so that the layer has less outside."""
    found, source = needs(10, sizes=[32], repeats=1), parse_target(SOURCE, 10, 0).normalised()
    W = pretrain_streamed(source, 6400, 400, 0.1, 0).W.double().numpy()
    basis = np.linalg.svd(source.directions.numpy())[0]
    squares = (W @ basis) ** 2
    assert found["overlap"] == pytest.approx((squares[:, :2].sum(1) / squares.sum(1)).mean(), rel=1e-5)
    assert found["energy"] == pytest.approx(squares[:, :2].sum() / squares.sum(), rel=1e-5)
    assert 1 - found["energy"] < 0.75 * (1 - found["overlap"])


def test_the_oracle_needs_the_same_in_every_dimension():
    first, second = needs(8, "oracle"), needs(30, "oracle")
    assert np.allclose(first["risk"], second["risk"], rtol=2e-2, equal_nan=True) and first["overlap"] == pytest.approx(
        1, abs=1e-5
    )


def test_each_risk_is_that_of_a_transferred_head_on_the_first_labels():
    """The layer, points and labels by their streams, the head by ``fit_transferred``, the risk by ``risk_of``."""
    source, target = (parse_target(text, 7, 2).normalised() for text in (SOURCE, "z1*z2 + 1"))
    network = pretrain_streamed(source, 98, 30, 0.1, 2)

    def drawn(n, *role):
        streams = generator_for(2, "heads", *role), generator_for(2, "heads", *role, 7)
        X = draw_matched_sample(target, n, 0.0, *streams).X.float()
        return X, target(X.double())

    (X, values), (Z, truth) = drawn(50, "train", 0), drawn(300, "test")
    signs = 2 * torch.randint(0, 2, (50,), generator=generator_for(2, "heads noise", 0)) - 1
    found = head_needs_cell(
        SOURCE, ["z1*z2 + 1"], 7, "transferred", 2.0, [20, 50], 1, 30, 0.1, threshold=0.01, n_test=300, seed=2
    )
    for column, size in enumerate([20, 50]):
        train = Sample(X[:size], (values + 0.1 * signs).float()[:size])
        problem = Problem(train, Sample(Z, truth.float()), target)
        alone = risk_of(functools.partial(fit_transferred, network=network), problem, None)
        assert found["risk"][0, column] == pytest.approx(alone.value, rel=1e-2)
    assert target.variance == pytest.approx(0.5)  # the mean square is 1, and the unit of the risk is the variance
    expected = samples_to_reach([20, 50], found["risk"][0], 0.01)
    assert found["needed"][0] == pytest.approx(expected, nan_ok=True)


def test_labels_are_counted_and_repeats_are_averaged(monkeypatch):
    """32 d^2 source and N target labels are asked for; errors of 1 and 4 have the mean 2.5, of 3 and 5 4."""
    asked, drawn, given = [], [], iter([1.0, 4.0, 3.0, 5.0])

    def layer(source, n, *rest, **options):
        asked.append(n)
        return original(source, 10, *rest, **options)

    def errors(frozen, X, Y, truths, sizes):
        asked.append((len(X), tuple(Y.shape)))
        drawn.append((X, Y))
        return torch.full((Y.shape[1], len(sizes)), next(given))

    original = module.pretrain_streamed
    monkeypatch.setattr(module, "pretrain_streamed", layer)
    monkeypatch.setattr(module, "nested_risks", errors)
    found = needs(6, source_ratio=32.0, sizes=[10, 20], width=20)
    assert asked == [32 * 36, *2 * [(10, (10, 3))], *2 * [(20, (20, 3))]]
    assert found["risk"] == pytest.approx(np.array([3 * [2.5], 3 * [4.0]]).T)
    assert not torch.equal(drawn[0][0], drawn[1][0]) and not torch.equal(drawn[0][1], drawn[1][1])


def test_no_larger_size_is_run_once_every_target_is_learnt():
    """What was run is what a run without a stop has: at a low threshold the same risks come out, and all of them."""
    stopped, whole = needs(10), needs(10, threshold=1e-6)
    run = np.isfinite(stopped["risk"])
    assert run.all(0).tolist() == run.any(0).tolist() and not run[:, -1].any()
    assert np.allclose(stopped["risk"][run], whole["risk"][run]) and np.isfinite(whole["risk"]).all()
    last = stopped["risk"][:, run[0]][:, -1]
    assert (last < 0.15).all() and np.isnan(whole["needed"]).all()
    after = [samples_to_reach(SIZES, row, 0.25) for row in whole["risk"]]
    assert stopped["needed"] == pytest.approx(np.array(after))


def test_all_source_sizes_see_the_same_target_samples(monkeypatch):
    seen = []
    original = module.nested_risks
    monkeypatch.setattr(module, "nested_risks", lambda *given: (seen.append(given), original(*given))[1])
    source_grid_cell("h2(z1)", "h3(z1)", 5, [1, 30, 200], [3, 20], 20, 1.0, n_test=100, seed=0)
    assert len(seen) == 6 and len({id(given[0]) for given in seen}) == 3
    seen = seen[1::2]
    assert all(torch.equal(given[1], seen[0][1]) and torch.equal(given[2], seen[0][2]) for given in seen)


def test_bad_input_is_refused_with_a_sentence():
    with pytest.raises(BadParameter, match="did you mean 'transferred'"):
        needs(6, layer="transfered")
    with pytest.raises(BadParameter, match="z9"):
        needs(6, heads=["z9"])
    with pytest.raises(BadParameter, match=r"source_sizes\[0\] = 0"):
        source_grid_cell("h2(z1)", "h3(z1)", 5, [0], [3], 20, 1.0, seed=0)
