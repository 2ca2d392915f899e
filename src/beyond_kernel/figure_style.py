"""The one style of all figures: its settings, and the colour, marker and dashes of each method and of each line."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from beyond_kernel.checks import BadParameter, nearest

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
    "legend.frameon": True,
    "legend.framealpha": 0.75,
    "legend.edgecolor": "none",
    "legend.fontsize": 9,
    "lines.linewidth": 1.6,
    "lines.markersize": 5.5,
    "lines.markeredgewidth": 1.2,
    "figure.constrained_layout.use": True,
}
"""Settings of matplotlib under which every figure is drawn."""


@dataclass(frozen=True)
class Style:
    """How one line looks: by marks where it was measured, by dashes where it is exact.

    Attributes:
        colour: as #RRGGBB.
        marker: a marker of matplotlib.
        dashes: a line style of matplotlib.
        filled: whether the marker is filled; an open one is another mark than the filled one of its shape.
    """

    colour: str
    marker: str | tuple[int, int, int]
    dashes: str | tuple[int, tuple[int, ...]]
    filled: bool = True

    def marks(self, size: float = STYLE["lines.markersize"]) -> dict[str, Any]:
        """Return the keywords of ``Axes.plot`` for colour and marker; thin shapes are drawn larger.

        Args:
            size: of a disc, in points.
        """
        face = self.colour if self.filled else "white"
        across = 1.45 * size if self.marker in _THIN else size
        return {"color": self.colour, "marker": self.marker, "markerfacecolor": face, "markersize": across}


_BLUE, _VERMILION, _GREEN, _PINK, _ORANGE, _SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
_VIOLET, _PLUM, _INDIGO, _CRIMSON, _BROWN = "#5933CC", "#802074", "#200080", "#E60056", "#5C3A00"
# The first six are Okabe and Ito's; orange and sky blue have less contrast on white than 3, and no other method wears
# them. The dark five were searched for: contrast above 4, and all eleven at least 17 apart in CIELAB, also for a reader
# without red or without green cones. Open and filled marks of one shape never share a colour.

_THREE_DOTS, _FINE, _LONG = (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (9, 2))
_THREE_POINTS, _FOUR_POINTS, _EIGHT_POINTS = (3, 1, 0), (4, 1, 0), (8, 1, 0)
_CROSS = (4, 1, 45)
_SIX_POINTS, _HANGING, _SLANTED = (6, 1, 0), (3, 0, 180), (3, 0, 90)
_LEANING, _SEVEN_POINTS = (3, 0, 30), (7, 1, 0)
_INVERTED_STAR, _TILTED = (5, 1, 180), (4, 0, 20)
_FIVE_RAYS, _SIX_RAYS, _EIGHT_RAYS = (5, 2, 0), (6, 2, 0), (8, 2, 0)
_THIN = (
    "*", "+", "x", "1", "2", "3", "4",
    _THREE_POINTS, _FOUR_POINTS, _EIGHT_POINTS, _SIX_POINTS, _FIVE_RAYS, _SIX_RAYS, _EIGHT_RAYS,
    _INVERTED_STAR,
)  # fmt: skip

LEARNER_STYLE = {
    "one step": Style(_BLUE, "o", "-"),
    "one step, normalised": Style(_BLUE, _SIX_POINTS, ":", filled=False),
    "inner-product kernel": Style(_PINK, _SLANTED, _FINE, filled=False),
    "first principal component": Style(_VERMILION, _HANGING, _FINE),
    "known direction": Style(_GREEN, "4", _FINE),
    "one step, metric kernel": Style(_PINK, "d", "-.", filled=False),
    "two moments": Style(_INDIGO, _EIGHT_RAYS, _FINE),
    "random features": Style(_PINK, "v", "--"),
    "random-feature kernel": Style(_ORANGE, "s", "-."),
    "tangent kernel": Style(_VERMILION, "D", ":"),
    "oracle": Style(_GREEN, "^", _THREE_DOTS),
    "oracle kernel": Style(_GREEN, "H", ":", filled=False),
    "transferred": Style(_SKY, "P", _FINE),
    "transferred metric": Style(_VERMILION, _FIVE_RAYS, "-."),
    "Gaussian kernel": Style(_PLUM, "s", "-", filled=False),
    "degree-two kernel": Style(_PLUM, "2", "-."),
    "polynomial kernel": Style(_PLUM, _LEANING, _FINE),
    "quadratic ridge": Style(_BLUE, _SEVEN_POINTS, _THREE_DOTS, filled=False),
    "Laplace kernel": Style(_PINK, "D", "-", filled=False),
    "recursive features": Style(_VIOLET, "X", "-"),
    "trained network": Style(_INDIGO, "*", "-"),
    "tangent model": Style(_VERMILION, _THREE_POINTS, _THREE_DOTS),
    "quadratic model": Style(_PINK, ">", ":"),
    "joint model": Style(_BLUE, "<", "--"),
    "joint model, regularised": Style(_GREEN, "<", "-", filled=False),
    "line and quadratic model": Style(_PLUM, _CROSS, _THREE_DOTS),
    "linear head": Style(_VIOLET, "^", "-.", filled=False),
    "clipped head": Style(_GREEN, "v", "--", filled=False),
    "logistic head": Style(_PLUM, "3", ":"),
    "trained layer": Style(_INDIGO, "X", ":", filled=False),
    "trained layer, clipped": Style(_BLUE, _EIGHT_POINTS, _FINE, filled=False),
    "norm stump": Style(_VERMILION, "d", "-"),
    "online SGD": Style(_VERMILION, "o", "--", filled=False),
    "smoothed SGD": Style(_BLUE, "+", "-."),
    "reused batch": Style(_INDIGO, "x", "--"),
    "spectral method": Style(_PLUM, _FOUR_POINTS, "--"),
    "network SGD": Style(_GREEN, ">", "-.", filled=False),
    "components, Gaussian kernel": Style(_PINK, "8", _THREE_DOTS, filled=False),
    "sum over found tiles": Style(_VERMILION, _INVERTED_STAR, _LONG),
    "chosen tile": Style(_GREEN, _TILTED, _LONG, filled=False),
    "fine-tuned": Style(_INDIGO, "p", "-.", filled=False),
}
"""Style of each method by its label, the same through the whole book."""

GUEST_STYLES = (
    Style(_CRIMSON, "p", "-"),
    Style(_BROWN, "h", "--", filled=False),
    Style(_CRIMSON, _SIX_RAYS, "-."),
    Style(_BROWN, "1", ":"),
)
"""Styles of the learners that a reader brings, in two colours that no method wears."""

LEARNER_DIMENSIONS = ("learner", "method")
"""Names of dimensions whose values are labels of methods."""

CYCLE = (
    Style(_BLUE, "o", "-"),
    Style(_VERMILION, "s", "--"),
    Style(_GREEN, "^", "-."),
    Style(_PINK, "v", ":"),
    Style(_ORANGE, "D", _THREE_DOTS),
    Style(_SKY, "P", _FINE),
    Style(_INDIGO, "X", "-"),
    Style(_CRIMSON, "*", "--"),
    Style(_VIOLET, "<", "-."),
    Style(_PLUM, ">", ":"),
    Style(_BROWN, "d", _THREE_DOTS),
)
"""Styles by position, for lines that are no methods."""

HATCHES = ("", "//", "..", "xx", "\\\\", "--", "||", "++", "oo", "**", "//..")
"""Patterns of neighbouring bars by position."""

THEORY_DASHES = ("-", "--", ":", "-.", _THREE_DOTS, (0, (9, 3)))
LEVEL_DASHES = ("--", ":", "-.", (0, (6, 2)), _THREE_DOTS, "-")


def style_of(label: str, own: Sequence[str] = ()) -> Style:
    """Return the style of a method, or the guest style of one that the reader brings.

    Args:
        label: of the method.
        own: the reader's own labels; their place in it is the place of their style in ``GUEST_STYLES``.

    Raises:
        BadParameter: if neither the book nor ``own`` knows the label, with the nearest that the book knows; if
            ``own`` is not as ``check_own`` wants it.

    >>> style_of("one step").colour, style_of("one step").marker
    ('#0072B2', 'o')
    >>> style_of("my learner", own=["my learner"]) == GUEST_STYLES[0]
    True
    """
    check_own(own)
    if label in own:
        return GUEST_STYLES[list(own).index(label)]
    if label not in LEARNER_STYLE:
        raise BadParameter(
            f"learner {str(label)!r} has no style{nearest(label, list(LEARNER_STYLE))}: it must be one of "
            f"{'; '.join(LEARNER_STYLE)}; a learner of your own is named in own."
        )
    return LEARNER_STYLE[label]


def styles_of(names: Sequence, line: str, own: Sequence[str] = ()) -> list[Style]:
    """Return a style for each line of a figure: by label where the lines are methods, by position elsewhere.

    Args:
        names: values of the dimension that tells the lines apart.
        line: name of that dimension.
        own: the reader's own labels among the names.

    Raises:
        BadParameter: if a method has no style or stands twice, there are more lines than styles, or ``own`` names
            what is not there.
    """
    check_own(own)
    if line not in LEARNER_DIMENSIONS:
        if own:
            raise BadParameter(f"own names {own[0]!r}: the lines of this figure are no methods but values of {line!r}.")
        return by_position(line, names, CYCLE)
    if missing := [name for name in own if name not in names]:
        raise BadParameter(f"own names {missing[0]!r}: it must be one of {', '.join(map(str, names))}.")
    if len(set(names)) < len(names):
        raise BadParameter(f"{line} = {', '.join(map(str, names))}: each needs a label of its own.")
    return [style_of(name, own) for name in names]


def check_own(own: Sequence[str]) -> None:
    """Refuse labels of a reader's own learners that are no list, too many, twice the same, or those of the book.

    Args:
        own: labels, as many as there are guest styles or fewer.

    Raises:
        BadParameter: if they are not as wanted.
    """
    if not isinstance(own, list | tuple) or not all(isinstance(name, str) for name in own):
        raise BadParameter(f"own = {own!r} is not accepted: it must be a list of names.")
    if len(own) > len(GUEST_STYLES):
        raise BadParameter(f"own has {len(own)} names: there are {len(GUEST_STYLES)} styles for learners of your own.")
    if twice := [name for name in own if own.count(name) > 1]:
        raise BadParameter(f"own names {twice[0]!r} twice: each needs a name of its own.")
    if taken := [name for name in own if name in LEARNER_STYLE]:
        raise BadParameter(f"own names {taken[0]!r}: that is the label of a method of the book, choose another.")


def by_position(what: str, names: Sequence, styles: Sequence) -> list:
    """Return one of ``styles`` for each name, in order.

    Raises:
        BadParameter: if there are more names than styles; none is used twice.
    """
    if len(names) > len(styles):
        raise BadParameter(f"{what} has {len(names)} values: a figure tells at most {len(styles)} of them apart.")
    return list(styles[: len(names)])
