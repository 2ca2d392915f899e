"""One style and a small plotting vocabulary; each verb takes labelled data and returns the figure."""

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from scipy import stats

from beyond_kernel.parameters import BadParameter

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


def curves(
    data: xarray.DataArray,
    x: str,
    *,
    band: str,
    line: str | None = None,
    title: str,
    xlabel: str,
    ylabel: str,
    theory: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
    levels: Mapping[str, float] | None = None,
    log: str = "x",
    ylim: tuple[float, float] | None = None,
) -> Figure:
    """Draw one marked curve per value of ``line``: median over ``band``, shaded from its smallest to its largest value.

    Args:
        data: values with the dimensions ``x``, ``band`` and, if given, ``line``.
        x: dimension on the horizontal axis.
        band: dimension of repetitions, usually the seed.
        line: dimension that tells the curves apart; names of learners keep their colour and marker.
        title: the finding.
        xlabel: symbol and words.
        ylabel: symbol and words.
        theory: thin lines by label, each as (horizontal, vertical) values.
        levels: dashed horizontal lines by label.
        log: "", "x", "y" or "xy".
        ylim: vertical range.

    Raises:
        BadParameter: if a dimension is missing or left over.
    """
    _dimensions(data, x, band, line)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots()
        _medians(axes, data, x, band, line)
        _reference_lines(axes, theory, levels)
        _labels(axes, title, xlabel, ylabel, log, ylim, data[x].values)
        axes.legend()
        return _finished(figure)


def scaling(
    data: xarray.DataArray,
    x: str,
    *,
    band: str,
    line: str | None = None,
    title: str,
    xlabel: str,
    ylabel: str,
    slopes: Mapping[str, float] | None = None,
) -> Figure:
    """Draw a log-log figure whose legend carries the fitted slope of each curve with its 95 % interval.

    Args:
        data: positive values with the dimensions ``x``, ``band`` and, if given, ``line``; NaN where there is none.
        x: dimension on the horizontal axis, positive.
        band: dimension of repetitions.
        line: dimension that tells the curves apart.
        title: the finding.
        xlabel: symbol and words.
        ylabel: symbol and words.
        slopes: predicted slope by value of ``line``, drawn as a thin line through the middle of that curve.

    Raises:
        BadParameter: if a dimension is missing or left over.
    """
    _dimensions(data, x, band, line)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots()
        _medians(axes, data, x, band, line, note=lambda values: _slope_note(values, x, band))
        for name, slope in (slopes or {}).items():
            middle = (data.sel({line: name}) if line else data).median(band).dropna(x)
            if middle.size:
                across = np.asarray(middle[x], dtype=float)
                anchor = np.exp(np.log(np.asarray(middle)).mean() - slope * np.log(across).mean())
                axes.plot(across, anchor * across**slope, color="#555555", lw=0.9, ls="-", zorder=1)
        _labels(axes, title, xlabel, ylabel, "xy", None, data[x].values)
        axes.legend()
        return _finished(figure)


def bars(
    data: xarray.DataArray,
    x: str,
    *,
    band: str,
    group: str | None = None,
    title: str,
    xlabel: str,
    ylabel: str,
    levels: Mapping[str, float] | None = None,
    log: str = "",
) -> Figure:
    """Draw bars of the median over ``band`` with whiskers from the smallest to the largest value.

    Args:
        data: values with the dimensions ``x``, ``band`` and, if given, ``group``.
        x: dimension of the bars.
        band: dimension of repetitions.
        group: dimension of neighbouring bars, told apart by colour and hatch.
        title: the finding.
        xlabel: words.
        ylabel: symbol and words.
        levels: dashed horizontal lines by label.
        log: "" or "y".

    Raises:
        BadParameter: if a dimension is missing or left over.
    """
    _dimensions(data, x, band, group)
    names = [None] if group is None else list(data[group].values)
    places = np.arange(data.sizes[x])
    width = 0.8 / len(names)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots()
        for index, name in enumerate(names):
            values = data if name is None else data.sel({group: name})
            middle = values.median(band)
            spread = np.abs(np.stack([values.min(band) - middle, values.max(band) - middle]))
            colour, hatch = CYCLE[index % len(CYCLE)][0], ("", "//", "..", "xx")[index % 4]
            where = places + (index - (len(names) - 1) / 2) * width
            axes.bar(
                where, middle, 0.92 * width, yerr=spread, color=colour, hatch=hatch, edgecolor="white",
                error_kw={"lw": 1.1, "capsize": 3}, label=name,
            )  # fmt: skip
        axes.set_xticks(places, [str(value) for value in data[x].values])
        axes.grid(axis="x", visible=False)
        axes.set_axisbelow(True)
        _reference_lines(axes, None, levels)
        _labels(axes, title, xlabel, ylabel, log, None)
        if group is not None or levels:
            axes.legend()
        return _finished(figure)


def neurons(
    points: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, title: str, xlabel: str, ylabel: str
) -> Figure:
    """Scatter neurons by two of their coordinates, one panel per name, on the same square axes.

    Args:
        points: for each panel the horizontal and vertical coordinates.
        title: the finding.
        xlabel: symbol and words.
        ylabel: symbol and words.
    """
    with plt.rc_context(STYLE):
        figure, panels = plt.subplots(1, len(points), squeeze=False, sharex=True, sharey=True, figsize=(6.6, 3.6))
        for axes, (name, (across, up)), style in zip(panels[0], points.items(), CYCLE, strict=False):
            axes.scatter(across, up, s=14, color=style[0], marker=style[1], alpha=0.6, linewidths=0)
            axes.set_aspect("equal")
            axes.set_title(name, fontweight="normal", fontsize=10)
            axes.set_xlabel(xlabel)
        panels[0][0].set_ylabel(ylabel)
        figure.suptitle(title, fontsize=11, fontweight="bold", x=0.02, ha="left")
        return _finished(figure)


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


def _medians(
    axes: Axes,
    data: xarray.DataArray,
    x: str,
    band: str,
    line: str | None,
    note: Callable[[xarray.DataArray], str] = lambda values: "",
) -> None:
    names = [None] if line is None else list(data[line].values)
    for index, name in enumerate(names):
        values = data if name is None else data.sel({line: name})
        colour, marker = LEARNER_STYLE.get(name, CYCLE[index % len(CYCLE)])
        label = "measured" if name is None else name if isinstance(name, str) else f"{line} = {name:g}"
        values = values.dropna(x, how="all")  # a learner that was not run everywhere keeps a connected line
        across = np.asarray(values[x], dtype=float)
        axes.fill_between(across, values.min(band), values.max(band), color=colour, alpha=0.18, lw=0)
        axes.plot(across, values.median(band), color=colour, marker=marker, label=label + note(values))


def _slope_note(values: xarray.DataArray, x: str, band: str) -> str:
    stacked = values.transpose(x, band)
    across = np.repeat(np.asarray(stacked[x], dtype=float), stacked.sizes[band])
    slope, half_width = fitted_slope(across, np.asarray(stacked).ravel())
    if np.isnan(slope):
        return ": no slope"
    return f": slope {slope:.2f}" + (f" ± {half_width:.2f}" if np.isfinite(half_width) else "")


def _reference_lines(axes: Axes, theory: Mapping | None, levels: Mapping | None) -> None:
    for (label, (across, up)), dashes in zip((theory or {}).items(), ("-", "--", ":", "-.") * 4, strict=False):
        axes.plot(across, up, color="#333333", lw=1.0, ls=dashes, label=label, zorder=1)
    for (label, height), dashes in zip((levels or {}).items(), ("--", ":", "-.", (0, (6, 2))) * 4, strict=False):
        axes.axhline(height, color="#777777", lw=1.0, ls=dashes, label=label, zorder=1)


def _labels(
    axes: Axes,
    title: str,
    xlabel: str,
    ylabel: str,
    log: str,
    ylim: tuple[float, float] | None,
    places: Sequence[float] = (),
) -> None:
    for letter, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
        if letter in log:
            axes.set(**{f"{letter}scale": "log"})
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(NullFormatter())
    if "x" in log and 1 < len(places) <= 12:
        axes.set_xticks(places, minor=False)
    if "y" in log:
        low, high = axes.get_ylim()
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0,) if high > 30 * low else (1.0, 2.0, 5.0)))
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    if ylim is not None:
        axes.set_ylim(*ylim)


def _dimensions(data: xarray.DataArray, *names: str | None) -> None:
    wanted = {name for name in names if name is not None}
    if set(data.dims) != wanted:
        raise BadParameter(f"data has dimensions {tuple(data.dims)}: the figure needs exactly {tuple(sorted(wanted))}.")


def _finished(figure: Figure) -> Figure:
    plt.close(figure)  # the notebook shows the returned figure, once
    return figure
