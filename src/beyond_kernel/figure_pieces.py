"""The pieces of which the verbs of ``figures`` are made: the lines of a figure, what is drawn of them, the axes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.ticker import AutoLocator, Locator, LogLocator, NullFormatter
from scipy.special import stdtrit

from beyond_kernel.checks import BadParameter, one_of
from beyond_kernel.figure_style import CYCLE, LEVEL_DASHES, STYLE, THEORY_DASHES, Style, by_position, styles_of
from beyond_kernel.tables import unsigned_zeros


class Line(NamedTuple):
    """One line of a figure: its value of the dimension that tells lines apart ("" without one), label, style, data."""

    name: str | float
    label: str
    style: Style
    values: xarray.DataArray


def lines_of(data: xarray.DataArray, line: str | None, own: Sequence[str] = ()) -> list[Line]:
    """Return the lines of ``data``, in order; without ``line`` it is one, called "measured".

    Raises:
        BadParameter: as ``styles_of``.
    """
    if line is None:
        if own:
            raise BadParameter(f"own = {own!r} is not accepted: the one line of this figure has no name.")
        return [Line("", "measured", CYCLE[0], data)]
    names = data[line].values.tolist()
    labels = [name if isinstance(name, str) else f"{line} = {name:g}" for name in names]
    styles = styles_of(names, line, own)
    rows = [data.isel({line: place}) for place in range(len(names))]
    return [Line(*parts) for parts in zip(names, labels, styles, rows, strict=True)]


def check_names(what: str, named: Mapping | None, drawn: Sequence[Line]) -> None:
    """Refuse a prediction, called ``what``, for a line that is not there."""
    names = [line.name for line in drawn]
    for name in named or {}:
        if name not in names:
            raise BadParameter(f"{what} names {name!r}: it must be one of {', '.join(map(str, names)) or repr('')}.")


def check_references(theory: Mapping | None, levels: Mapping | None) -> None:
    """Refuse more thin lines than can be told apart."""
    by_position("theory", list(theory or {}), THEORY_DASHES)
    by_position("levels", list(levels or {}), LEVEL_DASHES)


@contextmanager
def panel(
    title: str,
    xlabel: str,
    ylabel: str,
    *,
    log: str = "",
    ylim: tuple[float, float] | None = None,
    places: Sequence[float] = (),
) -> Iterator[Axes]:
    """Give axes to draw on in the one style; then label them, add a legend if anything has a label, and close.

    The figure is closed so that a notebook shows it once, where it is returned, and also where drawing fails.
    """
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots()
        try:
            yield axes
            label_axes(axes, title, xlabel, ylabel, log, ylim, places)
            many = len(axes.get_legend_handles_labels()[0])
            if many:
                axes.legend(**({"loc": "upper left", "bbox_to_anchor": (1, 1)} if many > 8 else {}))  # beside the axes
        finally:
            plt.close(figure)


def fitted_slope(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """Return the least-squares slope of log y against log x and the half width of its 95 % interval.

    Points with NaN are left out; with two points the half width is infinite, with fewer the slope is NaN.

    Raises:
        BadParameter: if a value is not above 0, for which no logarithm exists.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if (x[np.isfinite(x)] <= 0).any() or (y[np.isfinite(y)] <= 0).any():
        raise BadParameter("a slope in logarithms needs values above 0.")
    kept = np.isfinite(x) & np.isfinite(y)
    if kept.sum() < 2 or np.ptp(x[kept]) == 0:
        return float("nan"), float("inf")
    x, y = (np.log(values[kept]) - np.log(values[kept]).mean() for values in (x, y))
    slope, freedom = (x @ y) / (x @ x), int(kept.sum()) - 2
    if freedom == 0:
        return float(slope), float("inf")
    error = np.sqrt(np.square(y - slope * x).sum() / freedom / (x @ x))
    return float(slope), float(stdtrit(freedom, 0.975) * error)


FEWEST_FOR_QUARTILES = 5
"""Values at each point of a line from which its band is that of the quartiles; the quartiles of fewer say little."""


def band_edges(values: xarray.DataArray, band: str, band_of: str | None) -> tuple[xarray.DataArray, xarray.DataArray]:
    """Return the lower and the upper edge of the band of one line, at each of its points.

    Raises:
        BadParameter: if ``band_of`` is neither None nor "quartiles" or "range".
    """
    counts = values.notnull().sum(band)
    few = not values.size or bool((counts.where(counts > 0) < FEWEST_FOR_QUARTILES).any())
    kind = ("range" if few else "quartiles") if band_of is None else one_of("band_of", band_of, ["quartiles", "range"])
    if kind == "range":
        return values.min(band), values.max(band)
    edges = values.where(counts > 0, 0.0).quantile([0.25, 0.75], band).where(counts > 0)
    return edges[0], edges[1]


def draw_medians(
    axes: Axes,
    drawn: Sequence[Line],
    x: str,
    band: str,
    band_of: str | None = None,
    note: Callable[[xarray.DataArray], str] = lambda values: "",
) -> None:
    """Draw each line's median over ``band``, with its band shaded; ``note`` adds words to its label."""
    for _, label, style, values in drawn:
        values = values.dropna(x, how="all")  # a learner that was not run everywhere keeps a connected line
        across = np.asarray(values[x], dtype=float)
        axes.fill_between(across, *band_edges(values, band, band_of), color=style.colour, alpha=0.18, lw=0)
        axes.plot(across, values.median(band), **style.marks(), label=label + note(values))


def draw_predictions(axes: Axes, drawn: Sequence[Line], predicted: Mapping | None) -> None:
    """Draw a thin dashed line in the colour of its curve for each that is predicted."""
    for name, _, style, _ in drawn if predicted else ():
        if name in predicted:
            axes.plot(*predicted[name], color=style.colour, lw=1.1, ls="--", zorder=3)
    if predicted:
        axes.plot([], [], color="#333333", lw=1.1, ls="--", label="predicted")


def draw_slopes(axes: Axes, drawn: Sequence[Line], x: str, band: str, slopes: Mapping | None) -> None:
    """Draw a thin line of each predicted slope through the middle of its curve, on logarithmic axes."""
    for name, _, _, values in drawn:
        slope = (slopes or {}).get(name)
        middle = values.median(band).dropna(x)
        if slope is not None and middle.size:
            across = np.asarray(middle[x], dtype=float)
            anchor = np.exp(np.log(np.asarray(middle)).mean() - slope * np.log(across).mean())
            axes.plot(across, anchor * across**slope, color="#555555", lw=0.9, ls="-", zorder=1)


def luminance_ink(colour: tuple[float, float, float, float]) -> str:
    """Return black or white, whichever is legible on a colour."""
    red, green, blue = colour[:3]
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"


def slope_note(values: xarray.DataArray, x: str, band: str) -> str:
    """Return the fitted slope of a curve with its interval, as words for the legend."""
    stacked = values.transpose(x, band)
    across = np.repeat(np.asarray(stacked[x], dtype=float), stacked.sizes[band])
    slope, half_width = fitted_slope(across, np.asarray(stacked).ravel())
    if np.isnan(slope):
        return ": no slope"
    return unsigned_zeros(f": slope {slope:.2f}" + (f" ± {half_width:.2f}" if np.isfinite(half_width) else ""))


def reference_lines(axes: Axes, theory: Mapping | None, levels: Mapping | None, drawn: Sequence[Line] = ()) -> None:
    """Draw theory as thin lines, dark but for "NAME, theory" in the colour of line NAME; levels dashed horizontal."""
    theory, levels = theory or {}, levels or {}
    colours = {f"{line.label}, theory": line.style.colour for line in drawn}
    for (label, points), dashes in zip(theory.items(), by_position("theory", list(theory), THEORY_DASHES), strict=True):
        axes.plot(*points, color=colours.get(label, "#333333"), lw=1.0, ls=dashes, label=label, zorder=1)
    for (label, height), dashes in zip(levels.items(), by_position("levels", list(levels), LEVEL_DASHES), strict=True):
        axes.axhline(height, color="#777777", lw=1.0, ls=dashes, label=label, zorder=1)


def label_axes(
    axes: Axes,
    title: str,
    xlabel: str,
    ylabel: str,
    log: str,
    ylim: tuple[float, float] | None,
    places: Sequence[float] = (),
) -> None:
    """Set title, axis labels, logarithmic axes with plain numbers, and ticks at the few ``places`` that were run."""
    axes.set(title=unsigned_zeros(title), xlabel=xlabel, ylabel=ylabel)
    for letter in set(log):
        axes.set(**{f"{letter}scale": "log"})
    if ylim is not None:
        axes.set_ylim(*ylim)
    for letter, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
        if letter in log:
            axis.set_major_locator(_log_ticks(*axis.get_view_interval()))
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(NullFormatter())
    if "x" in log and 1 < len(places) <= 12:
        axes.set_xticks(places, minor=False)


def _log_ticks(low: float, high: float) -> Locator:
    """Return the coarsest ticks of a logarithmic axis that put three labels or more between ``low`` and ``high``.

    Powers of ten, or those with 3, with 2 and 5, or with all digits between them; within less than a factor of about
    two the ticks of a linear axis.
    """
    low, high = sorted((low, high))
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    for digits in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), tuple(map(float, range(1, 10)))):
        ticks = np.multiply.outer(decades, digits)
        if np.count_nonzero((ticks >= low) & (ticks <= high)) >= 3:
            return LogLocator(subs=digits)
    return AutoLocator()


def check_dimensions(data: xarray.DataArray, *names: str | None) -> None:
    """Refuse data whose dimensions are not exactly those that are named."""
    wanted = {name for name in names if name is not None}
    if set(data.dims) != wanted:
        raise BadParameter(f"data has dimensions {tuple(data.dims)}: the figure needs exactly {tuple(sorted(wanted))}.")
