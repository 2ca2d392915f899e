"""The data behind a figure is the data that was given: medians, bands, slopes, styles."""

import numpy as np
import pytest
import xarray
from matplotlib.colors import to_hex
from scipy import stats

from beyond_kernel.checks import BadParameter
from beyond_kernel.figure_style import (
    style_of,
)
from beyond_kernel.figures import bars, curves, fitted_slope, heatmap, lines, neurons, scaling, spectrum

WORDS = {"title": "T", "xlabel": "x", "ylabel": "y"}


def data(names=("one step", "oracle")):
    values = np.array([[[1.0, 5.0, 2.0], [4.0, 4.0, 10.0]], [[0.1, 0.3, 0.2], [0.5, 0.4, 0.9]]])
    coords = {"learner": list(names), "n": [10, 100], "seed": [0, 1, 2]}
    return xarray.DataArray(values, coords, dims=("learner", "n", "seed"))


def test_curves_draw_the_median_and_with_three_seeds_the_range_in_the_learner_s_colour():
    figure = curves(data(), "n", band="seed", line="learner", **WORDS, levels={"zero": 1.0}, log="xy")
    (axes,) = figure.axes
    first, second = axes.lines[:2]
    assert first.get_ydata().tolist() == [2, 4] and second.get_ydata().tolist() == [0.2, 0.5]
    assert to_hex(first.get_color()).upper() == style_of("one step").colour
    assert first.get_marker() != second.get_marker()
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert band.min() == 1 and band.max() == 10
    assert axes.get_title(loc="left") == "T" and axes.get_xscale() == "log" and axes.get_yscale() == "log"
    assert axes.get_legend_handles_labels()[1] == ["one step", "oracle", "zero"]


SIX = np.array([9.0, 0.0, 1.0, 2.0, 4.0, 8.0])  # sorted 0 1 2 4 8 9: quartiles at ranks 1.25 and 3.75, 1.25 and 7


def edges(figure):
    """Return, for each band of a figure, its lower and upper edge at each place, from left to right."""
    for patch in figure.axes[0].collections:
        corners = patch.get_paths()[0].vertices
        heights = [corners[corners[:, 0] == place, 1] for place in np.unique(corners[:, 0])]
        yield [(up.min(), up.max()) for up in heights]


def repeated(*rows):
    rows = np.array(rows, dtype=float)
    return xarray.DataArray(rows, {"n": [10, 100], "seed": range(rows.shape[1])}, dims=("n", "seed"))


@pytest.mark.parametrize("verb", [curves, scaling])
@pytest.mark.parametrize(
    ("rows", "band_of", "wanted"),
    [
        ((1 + SIX, 11 + SIX), None, [(2.25, 8), (12.25, 18)]),
        ((1 + SIX, 11 + SIX), "range", [(1, 10), (11, 20)]),
        ((1 + SIX[1:], 11 + SIX[1:]), None, [(2, 5), (12, 15)]),  # five: 0 1 2 4 8, the second and the fourth
        ((1 + SIX[2:], 11 + SIX[2:]), None, [(2, 9), (12, 19)]),  # four: the range
        ((1 + SIX[2:], 11 + SIX[2:]), "quartiles", [(2.75, 6), (12.75, 16)]),
        ((np.r_[[np.nan] * 2, 1 + SIX[2:]], 11 + SIX), None, [(2, 9), (11, 20)]),  # four at one place: the range
        ((1 + SIX, [np.nan] * 6), None, [(2.25, 8)]),  # nothing at the other place: no part of the line
    ],
)
def test_bands_are_quartiles_from_five_values_on_and_else_the_range(verb, rows, band_of, wanted):
    figure = verb(repeated(*rows), "n", band="seed", **WORDS, band_of=band_of)
    assert list(edges(figure)) == [wanted]
    medians = [np.median(row) for row in rows if not np.isnan(row).all() and not np.isnan(row).any()]
    assert set(medians) <= set(figure.axes[0].lines[0].get_ydata())


def test_each_line_has_the_band_of_its_own_values():
    five = repeated(1 + SIX, 11 + SIX)
    both = xarray.concat([five, five.where(five.seed < 4)], xarray.Variable("learner", ["one step", "oracle"]))
    first, second = edges(curves(both, "n", band="seed", line="learner", **WORDS))
    assert first == [(2.25, 8), (12.25, 18)] and second == [(1, 10), (11, 20)]


def test_whiskers_are_the_edges_of_the_band():
    def whiskers(**options):
        (container,) = bars(repeated(1 + SIX, 11 + SIX), "n", band="seed", **WORDS, **options).axes[0].containers[1:]
        return [tuple(segment[:, 1]) for segment in container.errorbar[2][0].get_segments()]

    assert whiskers() == [(2.25, 8), (12.25, 18)]
    assert whiskers(band_of="range") == [(1, 10), (11, 20)]


def test_a_band_of_something_else_is_refused():
    for verb in (curves, scaling, bars):
        with pytest.raises(BadParameter, match="band_of = 'quartile' is not known: it must be one of quartiles, range"):
            verb(repeated(SIX, SIX), "n", band="seed", **WORDS, band_of="quartile")


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (2e-4, 300, ["0.001", "0.01", "0.1", "1", "10", "100"]),  # powers of ten where there are enough of them
        (0.02, 0.9, ["0.03", "0.1", "0.3"]),
        (0.12, 0.52, ["0.2", "0.3", "0.4", "0.5"]),  # within a decade
        (41, 59, [f"{tick}" for tick in range(42, 60, 2)]),  # 50 alone has one digit other than zero
    ],
)
def test_a_logarithmic_axis_of_any_span_has_three_labels_or_more(low, high, labels):
    values = xarray.DataArray([low, high], {"n": [low, high]}, dims="n")
    axes = lines(values, "n", **WORDS, log="xy", ylim=(low, high)).axes[0]
    for axis in (axes.xaxis, axes.yaxis):
        least, most = axis.get_view_interval()
        ticks = [tick for tick in axis.get_majorticklocs() if least <= tick <= most]
        assert len(ticks) >= 3
    assert axis.get_major_formatter().format_ticks(ticks) == labels


def test_scaling_prints_the_slope_of_a_power_law():
    n = np.array([10, 20, 40, 80])
    values = xarray.DataArray(
        np.stack([3.0 * n**2] * 3, 1).astype(float), {"n": n, "seed": [0, 1, 2]}, dims=("n", "seed")
    )
    figure = scaling(values, "n", band="seed", **WORDS, slopes={"": 2.0})
    assert "slope 2.00" in figure.axes[0].get_legend_handles_labels()[1][0]
    theory = figure.axes[0].lines[1]
    assert np.allclose(theory.get_ydata(), 3.0 * n**2)


def test_fitted_slope_and_its_interval():
    x = np.array([1.0, 2, 4, 8, 16])
    assert fitted_slope(x, 5 * x**1.5) == pytest.approx((1.5, 0), abs=1e-12)
    draws = np.random.default_rng(0)
    inside = 0
    for _ in range(400):
        y = x**1.5 * np.exp(0.1 * draws.standard_normal(5))
        slope, half_width = fitted_slope(x, y)
        inside += abs(slope - 1.5) < half_width
    fit = stats.linregress(np.log(x), np.log(y))
    assert (slope, half_width) == pytest.approx((fit.slope, stats.t.ppf(0.975, 3) * fit.stderr))
    assert 0.91 <= inside / 400 <= 0.99  # 95 % with a binomial standard deviation of 1.1 %
    assert np.isnan(fitted_slope([1, 2], [np.nan, 1])[0])
    assert fitted_slope([1, 2], [1, 4]) == (pytest.approx(2), float("inf"))
    with pytest.raises(BadParameter, match="above 0"):
        fitted_slope([1, 2], [0, 1])


def test_bars_show_medians_and_whiskers():
    figure = bars(data().rename(n="kind", learner="group"), "kind", band="seed", group="group", **WORDS)
    heights = [patch.get_height() for patch in figure.axes[0].patches]
    assert heights == [2, 4, 0.2, 0.5]
    assert {patch.get_hatch() for patch in figure.axes[0].patches} == {"", "//"}


def test_neurons_draw_one_panel_a_name():
    figure = neurons({"before": ([0, 1], [2, 3]), "after": ([4], [5])}, **WORDS)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["before", "after"]
    assert figure.axes[0].collections[0].get_offsets().tolist() == [[0, 2], [1, 3]]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_title_of_several_panels_stands_clear_of_their_names(count):
    tall = ([0, 1], [0, 9])  # panels as high as the figure lets them be, which is where a title comes nearest
    figure = neurons({f"group {place}": tall for place in range(count)}, **(WORDS | {"title": "Tpg" * 15}))
    figure.draw_without_rendering()
    lowest = figure._suptitle.get_window_extent().y0
    for axes in figure.axes:
        gap = lowest - axes._left_title.get_window_extent().y1
        assert gap >= 10 * figure.dpi / 72  # a line of the smaller of the two


def test_lines_draw_the_values_without_marks():
    values = data().isel(seed=0, drop=True)
    axes = lines(values, "n", line="learner", **WORDS, levels={"zero": 0.0}).axes[0]
    assert axes.lines[0].get_ydata().tolist() == [1, 4] and axes.lines[1].get_ydata().tolist() == [0.1, 0.5]
    assert axes.lines[0].get_linestyle() != axes.lines[1].get_linestyle()
    assert axes.get_legend_handles_labels()[1] == ["one step", "oracle", "zero"]


def test_predictions_lie_in_the_colour_of_their_curve():
    axes = curves(data(), "n", band="seed", line="learner", **WORDS, predicted={"oracle": ([10, 100], [7, 8])}).axes[0]
    dashed = axes.lines[2]
    assert dashed.get_ydata().tolist() == [7, 8]
    assert dashed.get_color().upper() == style_of("oracle").colour
    with pytest.raises(BadParameter, match="must be one of one step, oracle"):
        curves(data(), "n", band="seed", line="learner", **WORDS, predicted={"kernel": ([1], [1])})


def test_theory_of_a_line_has_its_colour_and_other_theory_is_dark():
    theory = {"oracle, theory": ([10, 1000], [7, 8]), "bound": ([10, 1000], [1, 1])}
    words = {"line": "learner", "theory": theory, **WORDS}
    for figure, first in (
        (curves(data(), "n", band="seed", **words), 2),
        (lines(data().isel(seed=0, drop=True), "n", **words), 2),
    ):
        axes = figure.axes[0]
        continued, bound = axes.lines[first : first + 2]
        assert continued.get_color().upper() == style_of("oracle").colour and bound.get_color() == "#333333"
        assert list(continued.get_xdata()) == [10, 1000] and axes.get_xlim()[1] >= 1000
        assert axes.get_legend_handles_labels()[1][-2:] == ["oracle, theory", "bound"]


def test_spectrum_counts_ranks_from_one():
    values = xarray.DataArray([9.0, 3.0, 1.0], dims="index")
    axes = spectrum(values, **WORDS, predicted={"degree 1": ([1, 2], [5, 5])}).axes[0]
    assert axes.lines[0].get_xdata().tolist() == [1, 2, 3] and axes.lines[0].get_ydata().tolist() == [9, 3, 1]
    assert axes.lines[1].get_ydata().tolist() == [5, 5]
    assert axes.get_xscale() == "log" and axes.get_yscale() == "log"


def test_heatmap_puts_rows_downwards_and_prints_each_number_legibly():
    values = xarray.DataArray([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], {"d": [10, 20], "n": [1, 2, 3]}, dims=("d", "n"))
    axes = heatmap(values, "n", "d", **WORDS, label="risk").axes[0]
    assert axes.images[0].get_array().tolist() == [[1, 2, 3], [4, 5, 6]]
    assert [text.get_text() for text in axes.texts] == ["1", "2", "3", "4", "5", "6"]
    assert {axes.texts[0].get_color(), axes.texts[-1].get_color()} == {"white", "black"}
    low, high = heatmap(values - 3, "n", "d", **WORDS, label="risk", diverging=True).axes[0].images[0].get_clim()
    assert (low, high) == (-3, 3)


def test_left_over_dimensions_are_refused():
    with pytest.raises(BadParameter, match="needs exactly"):
        curves(data(), "n", band="seed", **WORDS)


def test_figures_leave_no_global_state():
    import matplotlib.pyplot as plt

    before = dict(plt.rcParams)
    curves(data(), "n", band="seed", line="learner", **WORDS)
    assert dict(plt.rcParams) == before and not plt.get_fignums()


def test_a_figure_that_fails_leaves_nothing_open():
    import matplotlib.pyplot as plt

    with pytest.raises(ValueError):
        curves(data(), "n", band="seed", line="learner", **WORDS, theory={"t": ([1, 2], [1])})
    assert not plt.get_fignums()


def test_no_text_of_a_figure_has_a_negative_zero():
    """A slope of -0.004 in the legend, the same number in the title, and in a cell of a map."""
    n = np.array([1.0, 10.0, 100.0])
    data = xarray.DataArray(np.outer(n**-0.004, [1.0, 1.0]), {"n": n, "seed": [0, 1]}, dims=("n", "seed"))
    figure = scaling(data, "n", band="seed", title=f"Slope {-0.004:.2f}", xlabel="n", ylabel="risk")
    texts = [figure.axes[0].get_title("left"), *figure.axes[0].get_legend_handles_labels()[1]]
    assert "Slope 0.00" in texts and any("slope 0.00" in text for text in texts)
    assert not any("-0.00" in text for text in texts)
    data = xarray.DataArray([[-0.0, 1.0]], {"row": [0], "column": [0, 1]}, dims=("row", "column"))
    figure = heatmap(data, "column", "row", title="T", xlabel="c", ylabel="r", label="value")
    assert [text.get_text() for text in figure.axes[0].texts] == ["0", "1"]
