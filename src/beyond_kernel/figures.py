"""A small plotting vocabulary in one style; words and lines mean the same in all verbs as in ``curves``."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import xarray
from matplotlib.figure import Figure

from beyond_kernel.checks import BadParameter
from beyond_kernel.figure_pieces import (
    band_edges,
    check_dimensions,
    check_names,
    check_references,
    draw_medians,
    draw_predictions,
    draw_slopes,
    fitted_slope,
    lines_of,
    luminance_ink,
    panel,
    reference_lines,
    slope_note,
)
from beyond_kernel.figure_style import CYCLE, HATCHES, STYLE, by_position
from beyond_kernel.tables import unsigned_zeros

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
    own: Sequence[str] = (),
    band_of: str | None = None,
) -> Figure:
    """Draw one marked curve per value of ``line``: the median over ``band``, with a shaded band.

    Args:
        data: values with the dimensions ``x``, ``band`` and, if given, ``line``.
        x: dimension on the horizontal axis.
        band: dimension of repetitions, usually the seed.
        line: dimension that tells the curves apart; methods (dimension ``learner`` or ``method``) keep their style.
        title: the finding.
        xlabel: symbol and words.
        ylabel: symbol and words.
        theory: thin lines by label, each as (horizontal, vertical) values; "NAME, theory" has the colour of line NAME.
        levels: dashed horizontal lines by label.
        predicted: a dashed line in the colour of its curve, by value of ``line``, as (horizontal, vertical) values.
        log: "", "x", "y" or "xy".
        ylim: vertical range.
        own: learners of your own among the lines; each gets a guest style, in this order.
        band_of: "quartiles" (the middle half) or "range" (smallest to largest); without it the quartiles of a line that
            has five values or more at each of its points, the range of one that has fewer.

    Raises:
        BadParameter: if a dimension is missing or left over, a method has no style, there are more lines than styles,
            or ``predicted``, ``own`` or ``band_of`` names what is not there.
    """
    check_dimensions(data, x, band, line)
    drawn = lines_of(data, line, own)
    check_names("predicted", predicted, drawn)
    check_references(theory, levels)
    with panel(title, xlabel, ylabel, log=log, ylim=ylim, places=data[x].values) as axes:
        draw_medians(axes, drawn, x, band, band_of)
        draw_predictions(axes, drawn, predicted)
        reference_lines(axes, theory, levels, drawn)
    return axes.figure


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
    own: Sequence[str] = (),
) -> Figure:
    """Draw exact curves, without marks and without a band, one per value of ``line``.

    Args:
        data: values with the dimensions ``x`` and, if given, ``line``.
        x: dimension on the horizontal axis.
        line: dimension that tells the curves apart, by colour and dashes.
        title, xlabel, ylabel, theory, levels, log, ylim, own: as in ``curves``.

    Raises:
        BadParameter: as ``curves``.
    """
    check_dimensions(data, x, line)
    drawn = lines_of(data, line, own)
    check_references(theory, levels)
    with panel(title, xlabel, ylabel, log=log, ylim=ylim) as axes:
        for _, label, style, values in drawn:
            axes.plot(values[x], values, color=style.colour, ls=style.dashes, label=None if line is None else label)
        reference_lines(axes, theory, levels, drawn)
    return axes.figure


def spectrum(
    data: xarray.DataArray,
    *,
    index: str = "index",
    line: str | None = None,
    predicted: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
    title: str,
    xlabel: str,
    ylabel: str,
    own: Sequence[str] = (),
) -> Figure:
    """Draw eigenvalues by rank on logarithmic axes, as dots, with predictions as thin lines.

    Args:
        data: positive values with the dimensions ``index`` and, if given, ``line``; largest first.
        index: dimension of the ranks; its first value stands at rank 1.
        line: dimension that tells several spectra apart.
        predicted: thin lines by label, each as (ranks, values).
        title, xlabel, ylabel, own: as in ``curves``.

    Raises:
        BadParameter: as ``curves``.
    """
    check_dimensions(data, index, line)
    drawn = lines_of(data, line, own)
    check_references(predicted, None)
    ranks = np.arange(1, data.sizes[index] + 1)
    with panel(title, xlabel, ylabel, log="xy") as axes:
        for _, label, style, values in drawn:
            axes.plot(ranks, values, **style.marks(3), ls="", alpha=0.7, label=label)
        reference_lines(axes, predicted, None)
    return axes.figure


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
    with panel(title, xlabel, ylabel) as axes:
        axes.grid(False)
        image = axes.imshow(values, cmap="PuOr" if diverging else "cividis", vmin=low, vmax=high, aspect="auto")
        axes.set_xticks(range(values.shape[1]), [str(value) for value in data[x].values])
        axes.set_yticks(range(values.shape[0]), [str(value) for value in data[y].values])
        for (row, column), value in np.ndenumerate(values if values.size <= 80 else np.empty((0, 0))):
            ink = luminance_ink(image.cmap(image.norm(value)))
            axes.text(column, row, unsigned_zeros(f"{value:.2g}"), ha="center", va="center", color=ink, fontsize=8)
        axes.figure.colorbar(image, label=label)
    return axes.figure


def scaling(
    data: xarray.DataArray,
    x: str,
    *,
    band: str,
    line: str | None = None,
    title: str,
    xlabel: str,
    ylabel: str,
    slopes: Mapping[str | int | float, float] | None = None,
    own: Sequence[str] = (),
    band_of: str | None = None,
) -> Figure:
    """Draw a log-log figure whose legend carries the fitted slope of each curve with its 95 % interval.

    Args:
        data: positive values with the dimensions ``x``, ``band`` and, if given, ``line``; NaN where there is none.
        x: dimension on the horizontal axis, positive.
        slopes: predicted slope by value of ``line``, drawn as a thin line through the middle of that curve; without
            ``line`` the one curve is called "".
        band, line, title, xlabel, ylabel, own, band_of: as in ``curves``.

    Raises:
        BadParameter: as ``curves``; if ``slopes`` names what is not there.
    """
    check_dimensions(data, x, band, line)
    drawn = lines_of(data, line, own)
    check_names("slopes", slopes, drawn)
    with panel(title, xlabel, ylabel, log="xy", places=data[x].values) as axes:
        draw_medians(axes, drawn, x, band, band_of, note=lambda values: slope_note(values, x, band))
        draw_slopes(axes, drawn, x, band, slopes)
    return axes.figure


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
    own: Sequence[str] = (),
    band_of: str | None = None,
) -> Figure:
    """Draw bars of the median over ``band``, with whiskers where ``curves`` has the edges of its band.

    Args:
        data: values with the dimensions ``x``, ``band`` and, if given, ``group``.
        x: dimension of the bars.
        band: dimension of repetitions.
        group: dimension of neighbouring bars, told apart by colour and hatch; methods keep their colour.
        levels: dashed horizontal lines by label.
        log: "" or "y".
        title, xlabel, ylabel, own, band_of: as in ``curves``.

    Raises:
        BadParameter: as ``curves``; if there are more groups than hatches.
    """
    check_dimensions(data, x, band, group)
    drawn = lines_of(data, group, own)
    hatches = by_position(group or "data", drawn, HATCHES)
    check_references(None, levels)
    places, width = np.arange(data.sizes[x]), 0.8 / len(drawn)
    with panel(title, xlabel, ylabel, log=log) as axes:
        for index, ((name, _, style, values), hatch) in enumerate(zip(drawn, hatches, strict=True)):
            middle = values.median(band)
            spread = np.abs(np.stack([edge - middle for edge in band_edges(values, band, band_of)]))
            where = places + (index - (len(drawn) - 1) / 2) * width
            axes.bar(
                where, middle, 0.92 * width, yerr=spread, color=style.colour, hatch=hatch, edgecolor="white",
                error_kw={"lw": 1.1, "capsize": 3}, label=None if group is None else name,
            )  # fmt: skip
        axes.set_xticks(places, [str(value) for value in data[x].values])
        axes.grid(axis="x", visible=False)
        axes.set_axisbelow(True)
        reference_lines(axes, None, levels)
    return axes.figure


def neurons(
    points: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, title: str, xlabel: str, ylabel: str
) -> Figure:
    """Scatter neurons by two of their coordinates, one panel per name, on the same square axes.

    Args:
        points: for each panel the horizontal and vertical coordinates.
        title, xlabel, ylabel: as in ``curves``.

    Raises:
        BadParameter: if there is no panel, or there are more than styles.
    """
    if not points:
        raise BadParameter("points has no panel: it must name at least one.")
    styles = by_position("points", points, CYCLE)
    with plt.rc_context(STYLE):
        size = (6.6, min(4.0, 1.2 + 5.6 / len(points)))
        figure, panels = plt.subplots(1, len(points), squeeze=False, sharex=True, sharey=True, figsize=size)
        figure.get_layout_engine().set(h_pad=0.12)  # keeps the title off the names of the panels
        for axes, (name, (across, up)), style in zip(panels[0], points.items(), styles, strict=True):
            axes.scatter(across, up, s=14, color=style.colour, marker=style.marker, alpha=0.6, linewidths=0)
            axes.set_aspect("equal")
            axes.set_title(name, fontweight="normal", fontsize=10)
            axes.set_xlabel(xlabel)
        panels[0][0].set_ylabel(ylabel)
        figure.suptitle(title, fontsize=11, fontweight="bold", x=0.02, ha="left")
        plt.close(figure)  # the notebook shows the returned figure, once
        return figure
