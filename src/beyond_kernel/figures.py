"""A small plotting vocabulary in one style; words and lines mean the same in all verbs as in ``curves``."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
import xarray
from matplotlib.figure import Figure

from beyond_kernel.figure_style import (
    CYCLE,
    DASHES,
    STYLE,
    check_dimensions,
    check_predicted,
    draw_medians,
    draw_predictions,
    each_line,
    finished,
    fitted_slope,
    label_axes,
    luminance_ink,
    reference_lines,
    slope_note,
)

__all__ = ["bars", "curves", "fitted_slope", "heatmap", "lines", "neurons", "scaling", "spectrum"]


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
    predicted: Mapping[str | int | float, tuple[Sequence[float], Sequence[float]]] | None = None,
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
        predicted: a dashed line in the colour of its curve, by value of ``line``, as (horizontal, vertical) values.
        log: "", "x", "y" or "xy".
        ylim: vertical range.

    Raises:
        BadParameter: if a dimension is missing or left over.
    """
    check_dimensions(data, x, band, line)
    check_predicted(data, line, predicted)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots()
        draw_medians(axes, data, x, band, line)
        draw_predictions(axes, data, line, predicted)
        reference_lines(axes, theory, levels)
        label_axes(axes, title, xlabel, ylabel, log, ylim, data[x].values)
        axes.legend()
        return finished(figure)


def lines(
    data: xarray.DataArray,
    x: str,
    *,
    line: str | None = None,
    title: str,
    xlabel: str,
    ylabel: str,
    theory: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
    levels: Mapping[str, float] | None = None,
    log: str = "",
    ylim: tuple[float, float] | None = None,
) -> Figure:
    """Draw exact curves, without marks and without a band, one per value of ``line``.

    Args:
        data: values with the dimensions ``x`` and, if given, ``line``.
        x: dimension on the horizontal axis.
        line: dimension that tells the curves apart, by colour and dashes.
        title, xlabel, ylabel, theory, levels, log, ylim: as in ``curves``.

    Raises:
        BadParameter: if a dimension is missing or left over.
    """
    check_dimensions(data, x, line)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots()
        for (label, colour, _, values), dashes in zip(each_line(data, line), cycle(DASHES), strict=False):
            axes.plot(values[x], values, color=colour, ls=dashes, label=None if line is None else label)
        reference_lines(axes, theory, levels)
        label_axes(axes, title, xlabel, ylabel, log, ylim)
        if line is not None or theory or levels:
            axes.legend()
        return finished(figure)


def spectrum(
    data: xarray.DataArray,
    *,
    index: str = "index",
    line: str | None = None,
    predicted: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
    title: str,
    xlabel: str,
    ylabel: str,
) -> Figure:
    """Draw eigenvalues by rank on logarithmic axes, as dots, with predictions as thin lines.

    Args:
        data: positive values with the dimensions ``index`` and, if given, ``line``; largest first.
        index: dimension of the ranks; its first value stands at rank 1.
        line: dimension that tells several spectra apart.
        predicted: thin lines by label, each as (ranks, values).

    Raises:
        BadParameter: if a dimension is missing or left over.
    """
    check_dimensions(data, index, line)
    ranks = np.arange(1, data.sizes[index] + 1)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots()
        for label, colour, marker, values in each_line(data, line):
            axes.plot(ranks, values, color=colour, marker=marker, ms=3, ls="", alpha=0.7, label=label)
        reference_lines(axes, predicted, None)
        label_axes(axes, title, xlabel, ylabel, "xy", None)
        axes.legend()
        return finished(figure)


def heatmap(
    data: xarray.DataArray,
    x: str,
    y: str,
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    label: str,
    diverging: bool = False,
) -> Figure:
    """Draw a matrix with the dimensions ``x`` and ``y`` as coloured cells, with their numbers where there are few.

    Args:
        data: the matrix.
        x, y: dimension from left to right, and from top to bottom.
        label: what the colour means.
        diverging: whether the colours part at zero.

    Raises:
        BadParameter: if a dimension is missing or left over.
    """
    check_dimensions(data, x, y)
    values = np.asarray(data.transpose(y, x), dtype=float)
    reach = float(np.nanmax(np.abs(values)))
    low, high = (-reach, reach) if diverging else (float(np.nanmin(values)), float(np.nanmax(values)))
    with plt.rc_context(STYLE | {"axes.grid": False}):
        figure, axes = plt.subplots()
        image = axes.imshow(values, cmap="PuOr" if diverging else "cividis", vmin=low, vmax=high, aspect="auto")
        axes.set_xticks(range(values.shape[1]), [str(value) for value in data[x].values])
        axes.set_yticks(range(values.shape[0]), [str(value) for value in data[y].values])
        for (row, column), value in np.ndenumerate(values if values.size <= 80 else np.empty((0, 0))):
            ink = luminance_ink(image.cmap(image.norm(value)))
            axes.text(column, row, f"{value:.2g}", ha="center", va="center", color=ink, fontsize=8)
        figure.colorbar(image, label=label)
        axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
        return finished(figure)


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
    check_dimensions(data, x, band, line)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots()
        draw_medians(axes, data, x, band, line, note=lambda values: slope_note(values, x, band))
        for name, slope in (slopes or {}).items():
            middle = (data.sel({line: name}) if line else data).median(band).dropna(x)
            if middle.size:
                across = np.asarray(middle[x], dtype=float)
                anchor = np.exp(np.log(np.asarray(middle)).mean() - slope * np.log(across).mean())
                axes.plot(across, anchor * across**slope, color="#555555", lw=0.9, ls="-", zorder=1)
        label_axes(axes, title, xlabel, ylabel, "xy", None, data[x].values)
        axes.legend()
        return finished(figure)


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
    check_dimensions(data, x, band, group)
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
        reference_lines(axes, None, levels)
        label_axes(axes, title, xlabel, ylabel, log, None)
        if group is not None or levels:
            axes.legend()
        return finished(figure)


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
        return finished(figure)
