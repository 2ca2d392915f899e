"""The exact experiments on symmetry: identities, counts, and what a learner that remembers needs."""

import math

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning import symmetry_barrier_cells as cells
from beyond_kernel.feature_learning.orbits import group_generators, orbit_counts, orbit_labels
from beyond_kernel.feature_learning.symmetry_barrier import mean_variance

SHARED = {"d": 8, "sizes": [1, 2, 3, 4], "neurons": 12}


@pytest.mark.parametrize("activation", ["relu", "tanh", "sine", "softplus"])
@pytest.mark.parametrize("group", ["cyclic", "dihedral", "pairs", "halves", "symmetric"])
def test_symmetry_divides_by_the_number_of_sets_in_a_target(group, activation):
    """Rounding: sums of 70 coefficients that may cancel to a hundredth, so far below 1e-9."""
    found = cells.correlation_cell(group=group, activation=activation, **SHARED, seed=0)
    counts = cells.counting_cell(8, group, SHARED["sizes"], seed=0) if group != "symmetric" else {"burnside": 1}
    expected = np.array([math.comb(8, k) for k in SHARED["sizes"]]) / counts["burnside"]
    np.testing.assert_allclose(found["gain"], expected, rtol=1e-9)
    np.testing.assert_allclose(found["expected"], found["gain"], rtol=1e-9)
    np.testing.assert_allclose(found["invariant"] / found["plain"], found["factor"], rtol=1e-9)


def test_the_factor_lies_between_one_and_the_size_of_the_group():
    for group, order in (("cyclic", 8), ("dihedral", 16), ("pairs", 16), ("halves", 16)):
        for seed in range(4):
            found = cells.correlation_cell(group=group, activation="relu", **SHARED, seed=seed)
            assert 1 < found["factor"] <= order


def test_shifts_take_one_power_of_d():
    """Slopes of plain and averaged cosines, and a neuron of degree one, whose factor is d to rounding."""
    dims = [8, 10, 12]
    found = [cells.correlation_cell(d, "cyclic", [2, 3], "relu", 8, seed=0) for d in dims]
    slopes = [np.polyfit(np.log(dims), np.log([each[name] for each in found]), 1)[0] for name in ("plain", "invariant")]
    np.testing.assert_allclose(slopes[1] - slopes[0], 1, atol=0.2)
    for d in (5, 8):
        energies = torch.zeros(d + 1, dtype=torch.float64)
        energies[1] = 0.7
        plain, shared = (
            mean_variance(energies, orbit_counts(orbit_labels(group_generators(group, d), d)))
            for group in ("trivial", "cyclic")
        )
        assert float(plain / shared) == pytest.approx(d, rel=1e-12)


def test_without_a_group_nothing_changes():
    found = cells.correlation_cell(group="trivial", activation="tanh", **SHARED, seed=0)
    for name in ("signal", "gain", "expected"):
        np.testing.assert_allclose(found[name], 1, rtol=1e-12)
    assert found["factor"] == pytest.approx(1, rel=1e-12) and found["drawn"] == pytest.approx(1, rel=1e-12)


def test_an_averaged_neuron_keeps_its_signal_in_the_mean():
    """Ratios of means over 20 times 12 draws at d = 8: standard error below 0.06 at k = 2, 3, so within 0.2."""
    signal = np.mean([
        cells.correlation_cell(group="cyclic", activation="tanh", **SHARED, seed=seed)["signal"] for seed in range(20)
    ], axis=0)  # fmt: skip
    np.testing.assert_allclose(signal[1:3], 1, atol=0.2)


def test_biases_do_not_depend_on_the_dimension_and_weights_on_the_seed():
    first, again, other = (
        cells.correlation_cell(6, "cyclic", [2], "relu", 4, seed=seed)["plain"] for seed in (0, 0, 1)
    )
    assert first == again and first != other


def test_a_learner_that_remembers_needs_few_samples_under_a_large_group():
    needs = {group: cells.remembering_cell(10, group, 3, seed=0) for group in ("trivial", "cyclic", "symmetric")}
    # Plain parities: (1 - 2^-10)^n = 1/2 at n = ln 2 / -ln(1 - 2^-10) = 709.4.
    assert needs["trivial"] == {"samples": 710.0, "orbits": 1024.0}
    assert needs["cyclic"]["orbits"] == 108 and needs["symmetric"]["orbits"] == 11
    assert needs["symmetric"]["samples"] < needs["cyclic"]["samples"] < 150


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cells.correlation_cell(17, "cyclic", [2], "relu", 1, seed=0), "d = 17"),
        (lambda: cells.correlation_cell(5, "cyclic", [6], "relu", 1, seed=0), r"sizes\[0\] = 6"),
        (lambda: cells.correlation_cell(5, "cycle", [2], "relu", 1, seed=0), "group = 'cycle'"),
        (lambda: cells.counting_cell(5, "halves", [2], seed=0), "d = 5 is odd"),
        (lambda: cells.remembering_cell(5, "cyclic", 6, seed=0), "k = 6"),
    ],
)
def test_bad_parameters_end_in_a_sentence(call, message):
    with pytest.raises(BadParameter, match=message):
        call()
