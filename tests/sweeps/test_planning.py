"""A plan's hours are those of the cost law that the timed cells follow."""

import numpy as np
import pytest
from light_cells import busy, troubled

from beyond_kernel.sweeps import BadParameter, plan, planning, sweep


def by_seconds(seed, seconds):
    return seconds


def test_the_plan_of_a_known_cost_is_right():
    grid = {"seconds": [0.01, 0.02, 0.04, 0.08], "seed": range(100)}
    made = plan(busy, grid, by_seconds, samples=4)
    wanted = 100 * sum(grid["seconds"]) / 3600
    assert made.cells == 400 and len(made.timed) == 4 and made.reach == pytest.approx(1)
    assert made.cpu_hours == pytest.approx(wanted, rel=0.1)
    assert made.low <= made.cpu_hours * 1.001 and made.high >= made.cpu_hours * 0.999
    assert made.longest == pytest.approx(0.08 / 3600, rel=0.1)
    assert made.hours(1) == pytest.approx(made.cpu_hours) and made.hours(10**6) == pytest.approx(made.longest)
    assert "400 cells" in str(made) and "CPU hours" in str(made)


def test_a_large_grid_is_planned_from_a_small_one():
    small = {"seconds": [0.005, 0.02, 0.05], "seed": [0]}
    made = plan(busy, {"seconds": [1.0, 20.0], "seed": range(10)}, by_seconds, timed=small, samples=3)
    assert made.cpu_hours == pytest.approx(210 / 3600, rel=0.1)
    assert made.reach == pytest.approx(400)
    assert all(row[0]["seconds"] <= 0.05 for row in made.timed)


def test_a_constant_that_all_cells_share_is_found(monkeypatch):
    def times(function, grid, indices, budget):
        return [(index, 2.0 + 3e-6 * grid.cell(index)["n"] ** 2) for index in indices]

    monkeypatch.setattr(planning, "_time", times)
    made = plan(busy, {"n": [10**4, 10**5]}, lambda n: n**2, timed={"n": [10, 100, 1000, 2000]}, samples=4)
    assert made.start == pytest.approx(2) and made.rate == pytest.approx(3e-6)
    assert made.cpu_hours * 3600 == pytest.approx(4 + 3e-6 * (1e8 + 1e10))
    assert made.low == pytest.approx(made.high)


def test_the_budget_ends_the_timing_with_the_cheap_cells():
    made = plan(busy, {"seconds": [0.01, 0.1, 0.2, 0.5, 40.0], "seed": [0]}, by_seconds, samples=5, budget=0.2)
    assert max(cost for _, cost, _ in made.timed) < 1 and made.reach > 50


def test_predicted_and_measured_seconds_agree(tmp_path):
    from beyond_kernel.sweeps import Store

    grid = {"seconds": [0.002, 0.01, 0.03], "seed": range(20)}
    made = plan(busy, grid, by_seconds, samples=3)
    sweep(busy, grid, store=tmp_path / "runs", workers=2)
    with Store(tmp_path / "runs") as store:
        spent = sum(cpu for *_, cpu in store.counts())
    assert np.isclose(made.cpu_hours * 3600, spent, rtol=0.15)


@pytest.mark.parametrize(
    ("named", "arguments"),
    [
        ("samples = 1", {"samples": 1}),
        ("budget = 0", {"budget": 0}),
        ("cost gives 0.0", {"cost": lambda seed, seconds: 0}),
        ("cost gives nan", {"cost": lambda seed, seconds: float("nan")}),
        ("seed is empty", {"grid": {"seed": []}}),
    ],
)
def test_bad_arguments_are_refused(named, arguments):
    given = {"grid": {"seed": [1], "seconds": [0.01]}, "cost": by_seconds} | arguments
    with pytest.raises(BadParameter, match=named):
        plan(busy, given.pop("grid"), given.pop("cost"), **given)


def test_a_timed_cell_that_fails_is_told():
    with pytest.raises(BadParameter, match="a timed cell failed at {'seed': 1}: raised: ValueError: one"):
        plan(troubled, {"seed": [1]}, lambda seed: 1)
