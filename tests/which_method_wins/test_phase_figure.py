"""The phase diagram draws what it is given: each cell once, in the style of its winner, and finite borders only."""

import numpy as np
import pytest
import xarray

from beyond_kernel.checks import BadParameter
from beyond_kernel.figure_style import style_of
from beyond_kernel.which_method_wins.phase_figure import phase_diagram
from beyond_kernel.which_method_wins.which_method_wins import NOBODY

NAMES = ["Gaussian kernel", "recursive features"]


def data():
    """Return cells, the predicted ones, of which (16, 200) and (8, 800) differ, and borders."""
    table = np.array([[NOBODY, NAMES[1], NAMES[0]], [NOBODY, NOBODY, NAMES[1]]], dtype=object)
    cells = xarray.DataArray(table, {"d": [8, 16], "n": [50, 200, 800]}, ("d", "n"))
    guess = cells.copy(data=[[NOBODY, NAMES[1], NAMES[1]], [NOBODY, NAMES[1], NAMES[1]]])
    lines = [[500.0, np.inf], [100.0, 300.0]]
    return cells, guess, xarray.DataArray(lines, {"learner": NAMES, "d": [8, 16]}, ("learner", "d"))


def points(axes, label):
    (drawn,) = [line for line in axes.lines if line.get_label() == label]
    return sorted(zip(*(np.asarray(part, dtype=float).tolist() for part in drawn.get_data()), strict=True)), drawn


def test_every_cell_is_drawn_once_in_the_style_of_its_winner():
    axes = phase_diagram(*data(), title="t").axes[0]
    expected = {NAMES[0]: [(8, 800)], NAMES[1]: [(8, 200), (16, 800)], NOBODY: [(8, 50), (16, 50), (16, 200)]}
    for label, where in expected.items():
        found, drawn = points(axes, label)
        assert found == where
        if label != NOBODY:
            assert (drawn.get_color(), drawn.get_marker()) == (style_of(label).colour, style_of(label).marker)


def test_the_order_of_the_dimensions_does_not_matter():
    cells, guess, borders = data()
    turned = phase_diagram(cells.transpose("n", "d"), guess, borders.transpose("d", "learner"), title="t").axes[0]
    assert points(turned, NAMES[1])[0] == [(8, 200), (16, 800)]
    assert points(turned, "predicted otherwise")[0] == [(8, 800), (16, 200)]


def test_a_ring_is_around_each_cell_that_is_predicted_otherwise():
    cells, guess, borders = data()
    assert points(phase_diagram(cells, guess, borders, title="t").axes[0], "predicted otherwise")[0] == [
        (8, 800), (16, 200)
    ]  # fmt: skip
    assert points(phase_diagram(cells, cells, borders, title="t").axes[0], "predicted otherwise")[0] == []


def test_borders_are_lines_with_gaps_where_they_are_infinite():
    axes = phase_diagram(*data(), title="t").axes[0]
    lines = [line for line in axes.lines if line.get_linestyle() not in ("None", "") and len(line.get_xdata()) == 2]
    values = [np.asarray(line.get_ydata(), dtype=float) for line in lines]
    assert np.isnan(values[0][1]) and values[0][0] == 500
    assert values[1].tolist() == [100, 300]


def test_a_winner_without_a_border_is_refused():
    cells, guess, borders = data()
    with pytest.raises(BadParameter, match="cells hold 'recursive features'"):
        phase_diagram(cells, guess, borders.sel(learner=NAMES[:1]), title="t")
    with pytest.raises(BadParameter, match="data has dimensions"):
        phase_diagram(cells.isel(d=0), guess, borders, title="t")
