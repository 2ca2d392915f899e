"""Borders and winners: brute force, borders that were planted, and the stored sweep looked through by hand."""

import csv
import itertools
import math
from statistics import geometric_mean

import numpy as np
import pytest
import xarray

from beyond_kernel.checks import BadParameter
from beyond_kernel.which_method_wins import measured_orders
from beyond_kernel.which_method_wins import which_method_wins as chapter
from beyond_kernel.which_method_wins.stored_needs import DATA, TARGETS, Need
from beyond_kernel.which_method_wins.which_method_wins import (
    NOBODY,
    RIVALS,
    border_agreement,
    estimated_seconds,
    measured_borders,
    predicted_borders,
    relative_costs,
    winner,
    winners,
)

RECURSIVE = RIVALS[2]
SIZES = tuple(round(1000 * 2 ** (-k / 2)) for k in range(10, -1, -1))
BOOK = TARGETS["the book's"]


def borders(**by_learner):
    """Return n* by learner in dimensions 8 and 16."""
    data = {"learner": list(by_learner), "d": [8, 16]}
    return xarray.DataArray(list(by_learner.values()), data, ("learner", "d"))


def lines(**wanted):
    """Return the lines of the data file whose columns hold what is wanted, read apart from the code under test."""
    with DATA.open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if all(row[key] == value for key, value in wanted.items())]


def test_a_winner_computes_least_on_as_many_samples_as_it_needs():
    """By brute force: of three methods that may need 10, 20 or more than are at hand, and cost 1, 2 or 3 a sample."""
    for sizes in itertools.product((10.0, 20.0, math.inf), repeat=3):
        needs = dict(zip("abc", sizes, strict=True))
        for prices in itertools.permutations((1, 2, 3)):
            price = dict(zip("abc", prices, strict=True))
            found = winner(needs, 25, lambda label, n, price=price: price[label] * n)
            costs = [price[label] * needs[label] for label in "abc" if needs[label] < 25]
            assert price[found] * needs[found] == min(costs) if costs else found == NOBODY


def test_samples_that_a_method_does_not_need_cost_it_nothing():
    """Of 1,000 samples one method needs 100 at a price of 4, the other 900 at a price of 1."""
    assert winner({"a": 900.0, "b": 100.0}, 1000, lambda label, n: {"a": 1, "b": 4}[label] * n) == "b"
    assert winner({"a": 900.0, "b": 100.0}, 1000, lambda label, n: {"a": 1, "b": 9.1}[label] * n) == "a"


def test_a_border_that_is_met_counts_and_one_that_is_unknown_does_not():
    assert winner({RECURSIVE: 100.0}, 100) == RECURSIVE
    assert winner({RECURSIVE: 100.5}, 100) == NOBODY
    assert winner({RECURSIVE: math.nan, RIVALS[0]: 50.0}, 100) == RIVALS[0]
    assert winner({"first": 50.0, "second": 50.0}, 100, lambda label, n: n) == "first"


def test_cells_of_two_borders_by_hand():
    prices = {"cheap": 1, "dear": 3}
    found = winners(borders(cheap=[400, np.inf], dear=[150, 200]), [50, 150, 450], lambda label, n: prices[label] * n)
    assert found.dims == ("d", "n")
    assert found.values.tolist() == [[NOBODY, "dear", "cheap"], [NOBODY, NOBODY, "dear"]]


def test_a_winner_changes_only_at_a_border_and_never_for_a_dearer_one():
    for target in TARGETS.values():
        lines = measured_borders(target, 0.25)
        for d, row in zip(lines.d.values, winners(lines, SIZES).values, strict=True):
            needs = dict(zip(RIVALS, lines.sel(d=d).values, strict=True))
            for (low, before), (high, after) in itertools.pairwise(zip(SIZES, row, strict=True)):
                if before != after:
                    assert low < needs[after] <= high
                    if before != NOBODY:
                        assert estimated_seconds(after, needs[after]) < estimated_seconds(before, needs[before])


def test_measured_borders_are_read_off_the_file():
    """Of one row the border is worked out here from the file: median over seeds, interpolated in log n."""
    rows = sorted(lines(kind="risk", target=BOOK, learner="recursive features", d="16"), key=lambda row: int(row["n"]))
    sizes, risks = [int(row["n"]) for row in rows], np.array([row["values"].split() for row in rows], dtype=float)
    needs = []
    for curve in risks.T:
        last = max(place for place, risk in enumerate(curve) if risk > 0.25)
        weight = (curve[last] - 0.25) / (curve[last] - curve[last + 1])
        needs.append(np.exp((1 - weight) * np.log(sizes[last]) + weight * np.log(sizes[last + 1])))
    found = float(measured_borders(BOOK, 0.25).sel(learner="recursive features", d=16))
    assert found == pytest.approx(np.median(needs))


def test_relative_costs_are_those_of_the_seconds_in_the_file():
    """Ratios of seconds over all cells that two methods share, worked out here; the mean must not be arithmetic."""
    times = {}
    for label in RIVALS:
        rows = lines(kind="risk", learner=label)
        times[label] = {(row["target"], row["d"], row["n"]): float(row["seconds"]) for row in rows}
    common = set.intersection(*(set(found) for found in times.values()))
    expected = {label: geometric_mean(times[label][key] / times[RIVALS[0]][key] for key in common) for label in RIVALS}
    assert relative_costs() == pytest.approx(expected)
    assert expected["one step, metric kernel"] < 1.4 < 2 < expected["recursive features"]


def test_seconds_between_sizes_and_beyond_the_sweep():
    """Between two sizes on a line of log seconds against log n; beyond the largest like the cube."""
    found = {n: estimated_seconds("Gaussian kernel", n) for n in (20, 31, 707, 1000, 2000, 707**0.5 * 1000**0.5)}
    assert found[2000] == pytest.approx(8 * found[1000]) and found[20] == found[31]
    assert found[707**0.5 * 1000**0.5] == pytest.approx((found[707] * found[1000]) ** 0.5)
    with pytest.raises(BadParameter, match="learner = 'magic'"):
        estimated_seconds("magic", 100)


def planted(monkeypatch, slope, jump=1.0, level=3.0):
    """Replace the sweep by one in which each method but the kernel has n* = level d^slope, the kernel its own line.

    Beyond the fitted dimensions borders are higher by the factor jump. All runs take a second, so that of the methods
    that get there the first one wins.
    """
    dims = (8, 12, 16, 24)
    line = predicted_borders(BOOK, dims, 0.25, ["Gaussian kernel"]).values[0]
    needs = []
    for label, factor in (("one step, metric kernel", 4.0), ("recursive features", 1.0), ("Gaussian kernel", None)):
        for place, d in enumerate(dims):
            border = line[place] if factor is None else factor * level * d**slope * (jump if d > 12 else 1)
            sizes = (border / 2, border / 1.0001, border * 1.0001)
            needs.append(Need(BOOK, label, d, sizes, ((0.9,), (0.2501,), (0.2499,)), (1.0, 1.0, 1.0)))
    for module in (chapter, measured_orders):
        monkeypatch.setattr(module, "stored_needs", lambda: tuple(needs))
    monkeypatch.setattr(chapter, "needs_of", lambda t, label: tuple(n for n in needs if n.learner == label))
    monkeypatch.setattr(chapter, "_middle_seconds", lambda label: ([1.0, 1e9], [1.0, 1.0]))
    monkeypatch.setattr(chapter, "_predicted", chapter._predicted.__wrapped__)  # else it remembers the real sweep


def test_borders_that_follow_their_orders_are_all_predicted(monkeypatch):
    """With planted powers of two every cell is right; borders that stay, or that all grow like d, miss some.

    The lowest border is d^2 / 2; cells below it have no winner, and none is counted.
    """
    planted(monkeypatch, 2.0, level=0.5)
    found = border_agreement(0.25, SIZES, [BOOK])
    assert found.cells == sum(n >= 0.5 * d**2 for d in (16, 24) for n in SIZES)
    assert found.share == found.strict == 1.0
    assert found.frozen < found.linear < 1.0


def test_borders_that_all_grow_like_d_are_found_by_the_cheap_guess_too(monkeypatch):
    """Planted powers of one; the kernel is out of reach, so the guess is right in every cell as well."""
    planted(monkeypatch, 1.0)
    found = border_agreement(0.25, SIZES, [BOOK])
    assert found.share == found.linear == 1.0
    assert found.frozen < 1.0


def test_a_power_that_changes_on_the_way_is_missed(monkeypatch):
    """Constants from d = 8 and 12 know nothing of a jump of borders by a factor of four beyond them."""
    planted(monkeypatch, 1.0, jump=4.0)
    assert border_agreement(0.25, SIZES, [BOOK]).share < 0.8


def test_baselines_by_hand():
    """Of two targets of the sweep the shares and the cheap guesses are counted here, over cells that a method wins."""
    some = list(TARGETS.values())[1:3]
    every = border_agreement(0.25, SIZES, some)
    later = [measured_borders(target, 0.25).sel(d=[16, 24, 32]) for target in some]
    labels = np.concatenate([winners(found, SIZES).values.ravel() for found in later])
    won = labels != NOBODY
    names, counts = np.unique(labels[won].astype(str), return_counts=True)
    assert every.cells == counts.sum() < len(labels)
    assert every.constant == pytest.approx(counts.max() / counts.sum())
    told = [winners(predicted_borders(t, [16, 24, 32], 0.25), SIZES).values.ravel() for t in some]
    told = np.concatenate(told)
    assert every.share == pytest.approx((told == labels)[won].mean())
    assert every.strict == pytest.approx((told == labels)[won].sum() / (won | (told != NOBODY)).sum())
    still = [measured_borders(target, 0.25).sel(d=[12, 12, 12]) for target in some]
    for power, share in ((0.0, every.frozen), (1.0, every.linear)):
        grown = [found * (later[0].d / 12).values ** power for found in still]
        guess = [winners(found.assign_coords(d=[16, 24, 32]), SIZES).values.ravel() for found in grown]
        assert share == pytest.approx((np.concatenate(guess) == labels)[won].mean())
    hard = border_agreement(0.25, SIZES, some, contested=True)
    near = 0
    for found in later:
        for column in found.transpose("d", "learner").values:
            finite = column[np.isfinite(column)]
            near += sum(finite.min() / 2 <= n <= 2 * finite.max() for n in SIZES)
    assert hard.cells == near < len(labels)


def test_the_kernels_line_is_met_by_the_sweep():
    """The line has nothing fitted to these runs; three seeds, sizes a root of two apart."""
    for name in ("degree two", "exponent 3"):
        found = measured_borders(TARGETS[name], 0.25, RIVALS[:1]).sel(d=[8, 16])
        line = predicted_borders(TARGETS[name], [8, 16], 0.25, RIVALS[:1])
        assert np.abs(np.log2(found / line)).max() < 0.4


def test_bad_input_is_a_sentence():
    with pytest.raises(BadParameter, match="n = 0"):
        winner({RECURSIVE: 1.0}, 0)
    with pytest.raises(BadParameter, match="learner = 'slow'"):
        winners(borders(slow=[40, 50]), [50])
    with pytest.raises(BadParameter, match="target = 'z1'"):
        measured_borders("z1", 0.25)
    with pytest.raises(BadParameter, match="no 'one step' on"):
        measured_borders(TARGETS["exponent 3"], 0.25, ["one step"])
    with pytest.raises(BadParameter, match="learner = 'magic'"):
        predicted_borders("z1*z2", [8], 0.25, ["magic"])
    with pytest.raises(BadParameter, match="no target, d and n"):
        relative_costs(["Gaussian kernel", "magic"])
