"""The experiments on samples: sizes counted, rivals on the same labels, and what must come out."""

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning import sampled_recovery_cells as cells
from beyond_kernel.feature_learning.absolute_teacher import drawn_teacher
from beyond_kernel.feature_learning.local_recovery import recovered_mass
from beyond_kernel.feature_learning.sampled_recovery import recover
from beyond_kernel.feature_learning.trained_network import fit_trained_network
from beyond_kernel.random_streams import generator_for

WEIGHTS = [1.0, -1.0]


def test_the_search_ends_where_the_share_is_reached(monkeypatch):
    """The search against each size by hand; every n asked for is a sample of n labels and no more."""
    seen = []

    def watched(X, y, *rest, **options):
        assert len(X) == len(y)
        seen.append(len(X))
        return recover(X, y, *rest, **options)

    monkeypatch.setattr(cells, "recover", watched)
    needed = cells.recovery_needs_cell(WEIGHTS, 5, 0.9, 0.0, 12, seed=3)["needed"]
    teacher, shares = drawn_teacher(WEIGHTS, 5, 40.0, 3), {}
    for n in sorted(seen):
        sample = cells._sample(teacher, n, 0.0, "cpu", 3)
        W, a = recover(sample.X, sample.y, 12, generator_for(3, "student", 12, n))
        shares[n] = float(recovered_mass(W, a, teacher.V.to(W)))
    last_short = max(n for n, share in shares.items() if share < 0.9)
    first_good = min(n for n in shares if n > last_short)
    assert last_short < needed <= first_good


def test_a_search_that_ends_early_says_nan():
    assert np.isnan(cells.recovery_needs_cell(WEIGHTS, 5, 0.99, 1.0, 6, steps=5, n_max=60, seed=0)["needed"])


def test_decay_is_all_that_differs_and_it_finds_the_teacher_and_a_smaller_risk():
    """Over 8 other seeds in each of d = 8, 16, 32 and five teachers the shares kept this order."""
    found = cells.sampled_recovery_cell(WEIGHTS, 6, 100.0, 0.0, 20, seed=1)
    assert found["recovered"] > 0.9 > found["recovered_without"]
    assert found["mass"] == pytest.approx(1, abs=0.05) and found["mass_without"] > 1.1
    assert max(found["risk"], found["risk_without"]) < 0.02
    same = cells.sampled_recovery_cell(WEIGHTS, 6, 100.0, 0.0, 20, decays=[0.0] * 3, seed=1)
    constant, longer = (
        cells.sampled_recovery_cell(WEIGHTS, 6, 100.0, 0.0, 20, decays=decays, seed=1)
        for decays in ([3e-3] * 3, [3e-2, 1e-2, 3e-3, 1e-3, 3e-4])
    )
    for name in ("recovered", "mass", "risk"):
        assert constant[name] == found[f"{name}_constant"] and longer[name] == found[f"{name}_longer"]
        assert same[name] == same[f"{name}_without"] == found[f"{name}_without"]


def test_a_small_start_finds_the_teacher_and_random_directions_do_with_decay():
    """Over five seeds at d = 16, n = 80 d, the small start had 0.98 of the mass and random directions 0.99 or more."""
    found = cells.sampled_recovery_cell(WEIGHTS, 6, 100.0, 0.0, 20, seed=1)
    assert found["recovered_small"] > 0.9 and found["recovered_random"] > 0.9
    assert found["risk_random"] != found["risk"] and found["risk_small"] < found["risk_without"]


def test_a_size_is_in_units_of_d():
    assert [cells._size(ratio, 10) for ratio in (4.0, 2.55, 0.1)] == [40, 26, 12]


def test_the_trained_network_sees_the_same_labels_and_its_mass_is_counted_by_hand(monkeypatch):
    kept = []

    def watched(problem, generator, width):
        kept.append((problem, fit_trained_network(problem, generator, width, steps=300)))
        return kept[0][1]

    monkeypatch.setattr(cells, "fit_trained_network", watched)
    found = cells.trained_recovery_cell(WEIGHTS, 5, 100.0, 0.1, 20, seed=1)
    problem, network = kept[0][0], kept[0][1].network
    teacher = drawn_teacher(WEIGHTS, 5, 40.0, 1)
    torch.testing.assert_close(problem.train.X, cells._sample(teacher, 500, 0.1, "cpu", 1).X)
    assert float(((problem.train.y - problem.train.truth).abs() - 0.1).abs().max()) < 1e-5
    sizes = np.linalg.norm(network.W.numpy(), axis=1)
    cosines = np.abs(network.W.numpy() @ teacher.V.numpy().T / sizes[:, None]).max(1)
    mass = np.abs(network.a.numpy()) * sizes
    assert found["recovered"] == pytest.approx(mass[cosines > np.cos(np.radians(5))].sum() / mass.sum(), abs=1e-5)
    predicted = kept[0][1](problem.test.X) - problem.test.truth
    assert found["risk"] == pytest.approx(float(predicted.square().mean()) / teacher.variance, rel=1e-4)


def test_angles_in_a_plane_are_taken_where_they_are_given():
    drawn = cells.sampled_recovery_cell(WEIGHTS, 4, 30.0, 0.0, 8, steps=5, seed=0)
    plane = cells.sampled_recovery_cell(WEIGHTS, 4, 30.0, 0.0, 8, angles=[0.0, 60.0], steps=5, seed=0)
    assert drawn["risk"] != plane["risk"]
    assert cells._teacher(WEIGHTS, [0.0, 60.0], 4, 40.0, 0, "cpu").least_angle == pytest.approx(60)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"level": 1.0}, "level = 1.0"),
        ({"noise": -0.1}, "noise = -0.1"),
        ({"width": 0}, "width = 0"),
        ({"start": 0.0}, "start = 0.0"),
        ({"weights": []}, "weights = []"),
        ({"d": 2, "weights": [1.0] * 6}, "least_angle = 40 is out of reach"),
        ({"degrees": 100.0}, "degrees = 100.0"),
    ],
)
def test_bad_input_ends_in_one_sentence(change, sentence):
    given = {"weights": WEIGHTS, "d": 4, "level": 0.9, "noise": 0.0, "width": 6, "steps": 2, "n_max": 50, "seed": 0}
    with pytest.raises(BadParameter) as caught:
        cells.recovery_needs_cell(**(given | change))
    assert sentence in str(caught.value) and str(caught.value).endswith(".")
