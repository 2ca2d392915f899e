"""The phase diagram: a mark for each cell (d, n) in the style of its winner, and the predicted borders as lines."""

from collections.abc import Sequence

import numpy as np
import xarray
from matplotlib.figure import Figure

from beyond_kernel.checks import BadParameter
from beyond_kernel.figure_pieces import check_dimensions, panel
from beyond_kernel.figure_style import style_of
from beyond_kernel.which_method_wins.which_method_wins import NOBODY

_RING = {"marker": "o", "ms": 15, "mec": "#333333", "mfc": "none", "mew": 1.1}


def phase_diagram(
    cells: xarray.DataArray,
    guessed: xarray.DataArray,
    borders: xarray.DataArray,
    *,
    title: str,
    own: Sequence[str] = (),
) -> Figure:
    """Draw the winner of each cell as a mark, a dot where nobody is below the risk, and borders n*(d) as lines.

    A ring is drawn around each cell whose winner is not the predicted one.

    Args:
        cells: labels from ``winners`` by measured borders, with the dimensions ``d`` and ``n``.
        guessed: the same by predicted borders.
        borders: predicted n* with the dimensions ``learner`` and ``d``; where it is infinite, no line is drawn.
        title: the finding.
        own: labels of learners that the reader brings.

    Raises:
        BadParameter: if a dimension is missing or left over, or a winner has no border.

    Chapter: which_method_wins.
    """
    for found in (cells, guessed):
        check_dimensions(found, "d", "n")
    check_dimensions(borders, "learner", "d")
    learners = borders.learner.values.tolist()
    if strange := sorted(set(np.unique(cells.values.astype(str))) - {*learners, NOBODY}):
        raise BadParameter(f"cells hold {str(strange[0])!r}: it must be one of {', '.join([*learners, NOBODY])}.")
    sizes = cells.n.values
    with panel(title, "dimension $d$", "samples $n$", log="xy", places=cells.d.values) as axes:
        for label in learners:
            style = style_of(label, own)
            d, n = np.meshgrid(cells.d.values, sizes, indexing="ij")
            here = cells.transpose("d", "n").values == label
            axes.plot(d[here], n[here], ls="", label=label, **style.marks(7))
            line = borders.sel(learner=label).values.astype(float)
            axes.plot(borders.d, np.where(np.isfinite(line), line, np.nan), color=style.colour, ls=style.dashes, lw=1.4)
        nobody = cells.transpose("d", "n").values == NOBODY
        axes.plot(d[nobody], n[nobody], ls="", marker=".", color="#aaaaaa", ms=3, label=NOBODY)
        wrong = cells.transpose("d", "n").values != guessed.transpose("d", "n").values
        axes.plot(d[wrong], n[wrong], ls="", label="predicted otherwise", **_RING)
        axes.plot([], [], color="#333333", lw=1.4, label="predicted border")
        axes.set_ylim(sizes.min() / 1.2, sizes.max() * 1.2)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))  # beside the axes, which are full of marks
    return axes.figure
