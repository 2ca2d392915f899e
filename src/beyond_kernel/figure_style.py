"""What all figures share: one style, and the small pieces of which the verbs of ``figures`` are made."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import AutoLocator, Locator, LogLocator, NullFormatter
from scipy import stats

from beyond_kernel.checks import BadParameter

LEARNER_STYLE = {
    "one step": ("#0072B2", "o"),
    "random features": ("#CC79A7", "v"),
    "random-feature kernel": ("#E69F00", "s"),
    "tangent kernel": ("#D55E00", "D"),
    "oracle": ("#009E73", "^"),
    "transferred": ("#56B4E9", "P"),
}
"""Colour (Okabe and Ito's palette) and marker of each learner, the same through the whole book."""

CYCLE = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "v"), ("#E69F00", "D"), ("#56B4E9", "P"))
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
STYLE = {
    "figure.figsize": (6.6, 4.0),
    "figure.dpi": 110,
    "savefig.dpi": 160,
    "figure.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.6,
    "lines.markersize": 5.5,
    "figure.constrained_layout.use": True,
}


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
    fit = stats.linregress(np.log(x[kept]), np.log(y[kept]))
    if kept.sum() == 2:
        return float(fit.slope), float("inf")
    return float(fit.slope), float(stats.t.ppf(0.975, kept.sum() - 2) * fit.stderr)


def each_line(data: xarray.DataArray, line: str | None) -> Iterator[tuple[str, str, str, xarray.DataArray]]:
    """Yield label, colour, marker and values of each curve of ``data``; a learner keeps its colour and marker."""
    for index, name in enumerate([None] if line is None else list(data[line].values)):
        values = data if name is None else data.sel({line: name})
        colour, marker = LEARNER_STYLE.get(name, CYCLE[index % len(CYCLE)])
        label = "measured" if name is None else name if isinstance(name, str) else f"{line} = {name:g}"
        yield label, colour, marker, values


def draw_medians(
    axes: Axes,
    data: xarray.DataArray,
    x: str,
    band: str,
    line: str | None,
    note: Callable[[xarray.DataArray], str] = lambda values: "",
) -> None:
    """Draw each curve's median over ``band``, shaded from smallest to largest; ``note`` adds words to its label."""
    for label, colour, marker, values in each_line(data, line):
        values = values.dropna(x, how="all")  # a learner that was not run everywhere keeps a connected line
        across = np.asarray(values[x], dtype=float)
        axes.fill_between(across, values.min(band), values.max(band), color=colour, alpha=0.18, lw=0)
        axes.plot(across, values.median(band), color=colour, marker=marker, label=label + note(values))


def draw_predictions(axes: Axes, data: xarray.DataArray, line: str | None, predicted: Mapping | None) -> None:
    """Draw a thin dashed line in the colour of its curve for each predicted value of ``line``."""
    names = [] if line is None else list(data[line].values)
    for name, (_, colour, _, _) in zip(names, each_line(data, line), strict=False):
        if predicted and name in predicted:
            axes.plot(*predicted[name], color=colour, lw=1.1, ls="--", zorder=3)
    if predicted:
        axes.plot([], [], color="#333333", lw=1.1, ls="--", label="predicted")


def check_predicted(data: xarray.DataArray, line: str | None, predicted: Mapping | None) -> None:
    """Refuse predictions for a curve that is not there."""
    names = [] if line is None else list(data[line].values)
    for name in predicted or {}:
        if name not in names:
            raise BadParameter(f"predicted names {name!r}: it must be one of {', '.join(map(str, names))}.")


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
    return f": slope {slope:.2f}" + (f" ± {half_width:.2f}" if np.isfinite(half_width) else "")


def reference_lines(axes: Axes, theory: Mapping | None, levels: Mapping | None) -> None:
    """Draw theory as thin dark lines and levels as dashed horizontal ones."""
    for (label, (across, up)), dashes in zip((theory or {}).items(), ("-", "--", ":", "-.") * 4, strict=False):
        axes.plot(across, up, color="#333333", lw=1.0, ls=dashes, label=label, zorder=1)
    for (label, height), dashes in zip((levels or {}).items(), ("--", ":", "-.", (0, (6, 2))) * 4, strict=False):
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
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
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


def finished(figure: Figure) -> Figure:
    """Return the figure, closed, so that the notebook shows it once."""
    plt.close(figure)  # the notebook shows the returned figure, once
    return figure
