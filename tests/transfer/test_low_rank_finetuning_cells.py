"""Doubts the experiments: which samples count, what is a median, and where learners end that were worked out."""

import math

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.first_gradient import adapter, first_gradient, step_unit
from beyond_kernel.transfer.low_rank_finetuning import BLOCK, samples_needed, start_vectors, train_rank_one
from beyond_kernel.transfer.low_rank_finetuning_cells import (
    READINGS,
    STARTS,
    adapter_cell,
    all_rows_cell,
    fitted_update_cell,
    rank_one_cell,
)
from beyond_kernel.transfer.rank_one_task import rank_one_task

TASK = {"link": "h3(z1)", "d": 24, "neurons": 4, "size": 1.0, "noise": 0.1}
TRAINED = TASK | {"steps": [4.0, 1.0], "level": 0.2, "budget_ratio": 60, "replicas": 6}


def test_a_rank_one_cell_counts_the_samples_of_its_chain():
    """Step sizes lie side by side in each replica; the median of six is the fourth smallest."""
    found = rank_one_cell(**TRAINED, seed=3)
    task = rank_one_task("h3(z1)", 24, 4)
    rates = torch.tensor([4.0, 1.0] * 6, dtype=torch.float64) * step_unit(task, 0.1) / 24
    generator = generator_for(3, "rank one", 24)
    run = train_rank_one(task, start_vectors(task, 12, generator), rates, 1440, generator, noise=0.1, level=0.2)
    for column in (0, 1):
        times = np.sort(samples_needed(run.risks[:, column::2], 0.2).numpy())
        times[times > 1440] = math.inf  # the last block ends behind the budget
        assert found["needed"][column] == times[3]
        assert found["found"][column] == np.isfinite(times).mean()
        assert found["final"][column] == pytest.approx(float(run.risks[-1, column::2].median()))
    assert found["curve"].shape == (17, 2)
    assert found["curve"][16, 0] == pytest.approx(float(run.risks[round(1440 / BLOCK), ::2].median()))
    assert np.allclose(found["curve"][0], run.risks[0].reshape(6, 2).median(0).values)
    assert found["curve"][8, 0] == pytest.approx(float(run.risks[round(720 / BLOCK), ::2].median()))


def test_samples_of_the_first_gradient_count():
    """A start from 40 d samples begins near v*; with a level that it meets at once nothing but these is counted."""
    found = rank_one_cell(**(TRAINED | {"level": 1.5}), gradient_ratio=40.0, seed=0)
    assert found["needed"].tolist() == [960.0, 960.0] and found["start"] > 0.75
    plain = rank_one_cell(**TRAINED, seed=0)
    assert abs(plain["start"]) < 0.4


def test_each_student_has_a_gradient_of_its_own_sample():
    """At a level met at once the start is the median of six overlaps, computed anew with the label noise they have."""
    given = TRAINED | {"level": 1.9, "noise": 2.0}
    found = rank_one_cell(**given, gradient_ratio=10.0, seed=4)
    task, generator = rank_one_task("h3(z1)", 24, 4), generator_for(4, "rank one", 24)
    overlaps = []
    for _ in range(12):
        X = torch.randn(240, 24, generator=generator, dtype=torch.float64)
        errors = torch.randn(240, generator=generator, dtype=torch.float64)
        y = task(X) + 2.0 * math.sqrt(7 / 8) * errors
        overlaps.append(float(adapter(first_gradient(task, X, y))[1][4]))
    assert found["start"] == pytest.approx(float(np.sort(overlaps)[5]))  # the lower of two in torch
    assert np.ptp(overlaps) > 0.2


def test_a_fitted_update_ends_at_low_risk_and_the_linear_one_does_not():
    """At 5 d labels or fewer a fit may end elsewhere; at 10 d none of twelve did. Exact risks of two seeds."""
    for seed in (0, 1):
        found = fitted_update_cell(**(TASK | {"d": 48}), ratios=[2, 10], seed=seed)
        assert found["risk"].shape == found["linear"].shape == (2,)
        assert found["risk"][1] < 0.01 < found["linear"][1] < found["linear"][0]
    exact = fitted_update_cell(**(TASK | {"noise": 0.0}), ratios=[15], seed=0)
    assert exact["risk"][0] < 1e-8


def test_a_budget_ends_what_was_not_found():
    """Also within the last block of steps, which goes on behind the budget of 24 samples."""
    found = rank_one_cell(**(TRAINED | {"budget_ratio": 1, "level": 0.01}), seed=0)
    assert found["needed"].tolist() == [math.inf, math.inf] and found["found"].tolist() == [0, 0]
    task, start = rank_one_task("h3(z1)", 24, 4), generator_for(0, "rank one", 24)
    rates = torch.tensor([4.0, 1.0] * 6, dtype=torch.float64) * step_unit(task, 0.1) / 24
    run = train_rank_one(task, start_vectors(task, 12, start), rates, 24, start, noise=0.1)
    level = float(run.risks[-1, ::2].max()) + 0.01  # which all have reached after a block
    times = samples_needed(run.risks, level)[::2]
    assert 0 < float((times <= 24).double().mean()) < 1
    found = rank_one_cell(**(TRAINED | {"budget_ratio": 1, "level": level}), seed=0)
    assert found["found"][0] == float((times <= 24).double().mean())


def test_all_rows_from_the_base_start_below_random_rows():
    """At unit rows of the base the risk is 2 (1 - k g(c) / k), up to the variance: cosines c alone, g = cube."""
    given = TRAINED | {"budget_ratio": 10, "replicas": 2}
    base = all_rows_cell(**given, start="base", seed=0)
    variance = 1 - 1 / 8
    expected = (1 + variance - 2 * 2**-1.5) / variance
    assert base["curve"][0].tolist() == pytest.approx([expected] * 2)
    scratch = all_rows_cell(**given, start="scratch", seed=0)
    assert (scratch["curve"][0] > 1.4).all() and set(STARTS) == {"base", "scratch"}


def test_an_adapter_is_read_off_the_first_samples():
    found = adapter_cell(**(TASK | {"noise": 0.0}), ratios=[5, 200], seed=2)
    task = rank_one_task("h3(z1)", 24, 4)
    X = torch.randn(4800, 24, generator=generator_for(2, "adapter", 24), dtype=torch.float64)
    gradient = first_gradient(task, X[:120], task(X[:120]))
    assert found["overlap"][0] == pytest.approx(abs(float(adapter(gradient)[1][4])))
    values = np.linalg.svd(gradient.numpy(), compute_uv=False)
    assert found["share"][0] == pytest.approx(values[0] ** 2 / (values**2).sum())
    assert found["overlap"][1] > 0.9 and found["left"][1] > 0.9
    vectors = np.random.default_rng(0).standard_normal((20_000, 24))
    random = np.abs(vectors[:, 0] / np.linalg.norm(vectors, axis=1)).mean()
    assert found["random"] == pytest.approx(random, rel=0.03)


def test_other_readings_of_the_gradient_are_worse():
    """Medians of five seeds at eight neurons: off the tangent, and at the lengths that rows have in the student."""
    given = TASK | {"d": 40, "neurons": 8, "ratios": [100]}
    read = [[adapter_cell(**given, reading=reading, seed=s)["overlap"][0] for s in range(5)] for reading in READINGS]
    right, off, short = np.median(read, axis=1)
    assert right > off + 0.05 and right > short + 0.3


def test_a_seed_repeats_and_another_does_not():
    runs = [rank_one_cell(**TRAINED, seed=seed) for seed in (0, 0, 1)]
    assert np.array_equal(runs[0]["curve"], runs[1]["curve"]) and not np.allclose(runs[0]["curve"], runs[2]["curve"])


def test_bad_input_is_a_sentence():
    for call, named in (
        (lambda: rank_one_cell(**(TRAINED | {"steps": []}), seed=0), "steps = "),
        (lambda: rank_one_cell(**(TRAINED | {"replicas": 0}), seed=0), "replicas = 0"),
        (lambda: all_rows_cell(**TRAINED, start="middle", seed=0), "start = 'middle'"),
        (lambda: fitted_update_cell(**TASK, ratios=[], seed=0), "ratios = "),
        (lambda: adapter_cell(**TASK, ratios=[5], reading="loud", seed=0), "reading = 'loud'"),
    ):
        with pytest.raises(BadParameter, match=named):
            call()
