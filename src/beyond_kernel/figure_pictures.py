"""A figure of small images, such as what a learner looks at; beside the verbs of ``figures``."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from beyond_kernel.checks import BadParameter, whole_number
from beyond_kernel.figure_style import STYLE

WIDTH = 6.6
"""Of the figure, in inches."""


def pictures(
    images: Mapping[str, np.ndarray], *, title: str, columns: int = 2, diverging: Sequence[str] = ()
) -> Figure:
    """Draw images under one another in columns, each with a scale of brightness of its own and its label above.

    Args:
        images: by label, of two dimensions, all of one shape; the first column is filled first.
        title: the finding.
        columns: their number.
        diverging: labels of images whose colours part at zero; the others go from dark at 0 to bright.

    Raises:
        BadParameter: if there is no image, shapes differ, or ``diverging`` names what is not there.
    """
    shapes = {np.shape(image) for image in images.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 2:
        raise BadParameter(f"images have the shapes {sorted(shapes)}: all must have one shape of two dimensions.")
    if unknown := [name for name in diverging if name not in images]:
        raise BadParameter(f"diverging names {unknown[0]!r}: it must be one of {', '.join(images)}.")
    down, (height, width) = -(-len(images) // whole_number("columns", columns)), shapes.pop()
    with plt.rc_context(STYLE):
        tall = 0.5 + down * (0.3 + 0.92 * WIDTH / columns * height / width)
        figure, panels = plt.subplots(down, columns, squeeze=False, figsize=(WIDTH, tall))
        for axes in panels.flat:
            axes.axis("off")
        for axes, (name, image) in zip(panels.T.flat, images.items(), strict=False):
            reach = float(np.abs(image).max()) or 1.0
            low, colours = (-reach, "PuOr") if name in diverging else (0.0, "cividis")
            axes.imshow(image, vmin=low, vmax=reach, cmap=colours)
            axes.set_title(name, fontweight="normal", fontsize=10)
        figure.suptitle(title, fontsize=11, fontweight="bold", x=0.02, ha="left")
        plt.close(figure)  # the notebook shows the returned figure, once
        return figure
