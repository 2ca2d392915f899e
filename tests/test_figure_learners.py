"""Every learner keeps its marks in any company, and what cannot be told apart is refused."""

import numpy as np
import pytest
import xarray
from matplotlib.colors import to_hex

from beyond_kernel.checks import BadParameter
from beyond_kernel.figure_style import (
    CYCLE,
    GUEST_STYLES,
    HATCHES,
    LEARNER_STYLE,
    LEVEL_DASHES,
    THEORY_DASHES,
    style_of,
)
from beyond_kernel.figures import bars, curves, lines, neurons, scaling, spectrum

WORDS = {"title": "T", "xlabel": "x", "ylabel": "y"}


def many(names, dimension="learner"):
    """Return one curve a name, with the dimensions of that name, n and seed."""
    values = np.arange(1.0, 1 + len(names))[:, None, None] * np.array([[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]])
    return xarray.DataArray(values, {dimension: names, "n": [10, 100], "seed": [0, 1, 2]}, (dimension, "n", "seed"))


def drawn(line):
    """Return colour, marker and whether the marker is filled, as a line on the axes has them."""
    face = to_hex(line.get_markerfacecolor()).upper()
    colour = to_hex(line.get_color()).upper()
    return colour, line.get_marker(), {colour: True, "#FFFFFF": False}[face]


def wanted(style):
    return style.colour, style.marker, style.filled


BOOK = list(LEARNER_STYLE)
OWN = ["mine", "hers", "theirs", "its"]
GUESTS = dict(zip(OWN, GUEST_STYLES, strict=True))


@pytest.mark.parametrize("dimension", ["learner", "method"])
def test_every_method_keeps_its_marks_in_any_company_and_order(dimension):
    names = [*OWN, *BOOK[::-1]]
    styles = [wanted((LEARNER_STYLE | GUESTS)[name]) for name in names]
    data, words = many(names, dimension), {"band": "seed", "line": dimension, "own": OWN, **WORDS}
    assert [drawn(line) for line in curves(data, "n", **words).axes[0].lines] == styles
    assert [drawn(line) for line in scaling(data, "n", **words).axes[0].lines] == styles
    one = data.isel(seed=0, drop=True)
    dots = spectrum(one, index="n", line=dimension, own=OWN, **WORDS).axes[0].lines
    assert [drawn(dot) for dot in dots] == styles


def test_exact_curves_are_told_apart_by_colour_and_dashes():
    names = [*BOOK, *OWN]
    axes = lines(many(names).isel(seed=0, drop=True), "n", line="learner", own=OWN, **WORDS).axes[0]
    seen = [(to_hex(line.get_color()).upper(), str(line._unscaled_dash_pattern)) for line in axes.lines]
    assert [colour for colour, _ in seen] == [(LEARNER_STYLE | GUESTS)[name].colour for name in names]
    assert len(set(seen)) == len(names)
    alone = lines(many(["oracle"]).isel(seed=0, drop=True), "n", line="learner", **WORDS).axes[0].lines[0]
    assert str(alone._unscaled_dash_pattern) == seen[names.index("oracle")][1]


def test_bars_keep_the_colours_of_methods_and_no_two_share_a_hatch():
    names = ["trained network", "mine", "oracle"]
    axes = bars(many(names), "n", band="seed", group="learner", own=["mine"], **WORDS).axes[0]
    colours = [to_hex(container[0].get_facecolor()).upper() for container in axes.containers if len(container) == 2]
    assert colours == [style_of(name, ["mine"]).colour for name in names]
    assert [patch.get_hatch() for patch in axes.patches[::2]] == list(HATCHES[:3])


def test_a_dimension_of_another_name_takes_styles_by_position():
    axes = curves(many(["random features", "tangent"], "kernel"), "n", band="seed", line="kernel", **WORDS).axes[0]
    assert [drawn(line) for line in axes.lines] == [wanted(style) for style in CYCLE[:2]]
    full = lines(many(range(len(CYCLE)), "degree").isel(seed=0, drop=True), "n", line="degree", **WORDS).axes[0]
    seen = {(line.get_color(), str(line._unscaled_dash_pattern)) for line in full.lines}
    assert len(seen) == len(CYCLE)


@pytest.mark.parametrize(
    ("names", "own", "sentence"),
    [
        (["one step", "orakel"], (), r"'orakel' has no style \(did you mean 'oracle'\?\)"),
        (["one step", "mine"], ["hers"], "own names 'hers': it must be one of one step, mine"),
        (["one step", "mine"], ["one step"], "own names 'one step': that is the label of a method"),
        ([*OWN, "another"], [*OWN, "another"], "own has 5 names: there are 4 styles"),
    ],
)
def test_every_verb_refuses_a_learner_without_a_style(names, own, sentence):
    data, words = many(names), {"own": own, **WORDS}
    one = data.isel(seed=0, drop=True)
    for verb in (
        lambda: curves(data, "n", band="seed", line="learner", **words),
        lambda: scaling(data, "n", band="seed", line="learner", **words),
        lambda: bars(data, "n", band="seed", group="learner", **words),
        lambda: lines(one, "n", line="learner", **words),
        lambda: spectrum(one, index="n", line="learner", **words),
    ):
        with pytest.raises(BadParameter, match=sentence):
            verb()


def test_more_than_can_be_told_apart_is_refused_with_its_number():
    count, words = len(CYCLE) + 1, {"line": "degree", **WORDS}
    data = many(range(count), "degree")
    one = data.isel(seed=0, drop=True)
    for verb in (
        lambda: curves(data, "n", band="seed", **words),
        lambda: lines(one, "n", **words),
        lambda: spectrum(one, index="n", **words),
        lambda: bars(data, "n", band="seed", group="degree", **WORDS),
    ):
        with pytest.raises(BadParameter, match=f"degree has {count} values: a figure tells at most {count - 1}"):
            verb()
    with pytest.raises(BadParameter, match="learner has 12 values: a figure tells at most 11"):
        bars(many(BOOK[:12]), "n", band="seed", group="learner", **WORDS)
    panels = {f"panel {place}": ([0], [1]) for place in range(count)}
    assert len(neurons(dict(list(panels.items())[:-1]), **WORDS).axes) == count - 1
    with pytest.raises(BadParameter, match=f"points has {count} values"):
        neurons(panels, **WORDS)
    with pytest.raises(BadParameter, match="points has no panel"):
        neurons({}, **WORDS)


@pytest.mark.parametrize(("kind", "most"), [("theory", len(THEORY_DASHES)), ("levels", len(LEVEL_DASHES))])
def test_more_thin_lines_than_patterns_are_refused_before_anything_is_drawn(kind, most, monkeypatch):
    one = many(["oracle"]).isel(seed=0, learner=0, drop=True)
    thin = {f"line {place}": ([10, 100], [1, 2]) if kind == "theory" else place for place in range(most)}
    axes = lines(one, "n", **WORDS, **{kind: thin}).axes[0]
    assert len({str(line._unscaled_dash_pattern) for line in axes.lines[1:]}) == len(axes.lines) - 1 == most
    monkeypatch.setattr("matplotlib.pyplot.subplots", lambda: pytest.fail("a figure was begun"))
    with pytest.raises(BadParameter, match=f"{kind} has {most + 1} values: a figure tells at most {most}"):
        lines(one, "n", **WORDS, **{kind: thin | {"more": thin["line 0"]}})


def test_a_figure_with_one_line_takes_neither_names_nor_guests():
    one = many(["oracle"]).isel(learner=0, drop=True)
    dashed = curves(one, "n", band="seed", **WORDS, predicted={"": ([10, 100], [7, 8])}).axes[0].lines[1]
    assert list(dashed.get_ydata()) == [7, 8]
    with pytest.raises(BadParameter, match="predicted names 'oracle': it must be one of ''"):
        curves(one, "n", band="seed", **WORDS, predicted={"oracle": ([1], [1])})
    with pytest.raises(BadParameter, match="slopes names 'oracle'"):
        scaling(one, "n", band="seed", **WORDS, slopes={"oracle": 1.0})
    with pytest.raises(BadParameter, match="the one line of this figure has no name"):
        curves(one, "n", band="seed", **WORDS, own=["oracle"])


def test_a_long_legend_stands_beside_the_axes():
    for count, beside in ((8, False), (9, True)):
        figure = curves(many(BOOK[:count]), "n", band="seed", line="learner", **WORDS)
        figure.draw_without_rendering()
        (axes,) = figure.axes
        box, frame = axes.get_legend().get_window_extent(), axes.get_window_extent()
        assert (box.x0 >= frame.x1) == beside
        assert box.x1 <= figure.bbox.x1
