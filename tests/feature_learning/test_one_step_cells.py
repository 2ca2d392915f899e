"""The cells behind the chapter's figures: what they return is what they say, in cases with a known answer."""

import numpy as np
import pytest

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.one_step_cells import (
    SCHEDULES,
    gradient_cell,
    overlap_cell,
    schedule_cell,
    step_size_cell,
    undecayed_step_cell,
    variant_cell,
)

TWO = "(h2(z1) - h2(z2) + h2(z1)*h2(z2) + h3(z1))/2"


def test_gradient_cell_sees_the_hessian_and_only_the_hessian():
    cell = gradient_cell("3*h2(z1)", 15, 200, 100, 0.0, seed=0)  # scaled to E f^2 = 1
    assert cell["cosine"] > 0.95 and cell["exact_cosine"] > 0.97
    wider = gradient_cell("3*h2(z1)", 45, 100, 100, 0.0, seed=0)
    assert 0.8 < cell["slope"] < wider["slope"] < 1.05  # 1 up to terms of order 1 / sqrt(d)
    assert (
        gradient_cell(TWO, 40, 1, 50, 0.0, seed=0)["remainder"]
        < gradient_cell(TWO, 10, 1, 50, 0.0, seed=0)["remainder"]
    )
    shifted = gradient_cell("h2(z1) + 2 + 2*z2", 15, 400, 100, 0.0, seed=0)
    assert shifted["exact_cosine"] > 0.97  # constant and linear part are taken away in the exact gradient too


def test_energies_of_a_cell_add_up_to_its_overlap():
    cell = overlap_cell(TWO, 12, 4, 60, 0.1, seed=1)
    assert float(np.sum(cell["energies"])) == pytest.approx(cell["overlap"])
    assert cell["energies"].shape == (2,)
    assert overlap_cell("h2(z1)", 6, 200, 60, 0.0, seed=1)["leading"] > 0.95  # noise tilts it


def test_variants_and_step_sizes():
    plain = variant_cell(TWO, 14, 8, "Algorithm 1", 200, 0.1, seed=0)
    stale = variant_cell(TWO, 14, 8, "biases kept at 0", 200, 0.1, seed=0)
    assert plain["overlap"] == stale["overlap"] and plain["risk"] < stale["risk"]
    risks = [step_size_cell(TWO, 14, 8, scale, 200, 0.1, seed=0)["risk"] for scale in (0.5, 30.0)]
    assert risks[0] < risks[1]


def test_without_weight_decay_a_small_step_is_lazy_and_a_large_one_is_not():
    small, large = (undecayed_step_cell(TWO, 14, 16, scale, 200, 0.1, seed=0) for scale in (0.05, 50.0))
    assert small["overlap"] < 2 / 14 + 0.1 and large["overlap"] > 0.6
    assert large["risk"] < small["risk"]


def test_schedules_share_their_problem_and_differ_in_their_steps():
    """One step is Algorithm 1; in trials two steps on the same samples had 0.18 more overlap and more, halves less."""
    cells = {name: schedule_cell(TWO, 12, 4, name, 200, 0.1, seed=0) for name in SCHEDULES}
    overlaps, risks = ({name: cell[key] for name, cell in cells.items()} for key in ("overlap", "risk"))
    assert overlaps["one step"] + 0.1 < overlaps["two steps, the same samples"]
    assert overlaps["two steps, half of the samples each"] < overlaps["two steps, the same samples"]
    assert overlaps["two steps, the same samples"] < overlaps["five steps, the same samples"]
    assert overlaps["five steps, a fifth of the samples each"] < overlaps["five steps, the same samples"] - 0.1
    assert risks["two steps, the same samples"] < risks["two steps, half of the samples each"]


def test_bad_input_is_refused_with_a_sentence():
    with pytest.raises(BadParameter, match="schedule = 'three steps'"):
        schedule_cell(TWO, 10, 1, "three steps", 20, 0.1, seed=0)
    with pytest.raises(BadParameter, match="variant = 'algorithm 1'"):
        overlap_cell(TWO, 10, 1, 20, 0.1, variant="algorithm 1", seed=0)
