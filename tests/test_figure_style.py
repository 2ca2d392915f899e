"""Styles cannot collide: every two differ in marks, and their colours for every eye."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from beyond_kernel.checks import BadParameter
from beyond_kernel.figure_style import (
    CYCLE,
    GUEST_STYLES,
    HATCHES,
    LEARNER_STYLE,
    LEVEL_DASHES,
    THEORY_DASHES,
    check_own,
    style_of,
    styles_of,
)

LABELS = (
    "one step; one step, metric kernel; two moments; random features; random-feature kernel; tangent kernel; "
    "oracle; transferred; "
    "transferred metric; trained layer; trained layer, clipped; "
    "Gaussian kernel; Laplace kernel; recursive features; trained network; quadratic model; joint model; "
    "joint model, regularised; line and quadratic model; linear head; clipped head; logistic head; norm stump; "
    "online SGD; smoothed SGD; reused batch; "
    "spectral method; network SGD; fine-tuned"
).split("; ")
KEPT = {
    "one step": ("#0072B2", "o"),
    "random features": ("#CC79A7", "v"),
    "random-feature kernel": ("#E69F00", "s"),
    "tangent kernel": ("#D55E00", "D"),
    "oracle": ("#009E73", "^"),
    "transferred": ("#56B4E9", "P"),
}
FAINT = {"#E69F00", "#56B4E9"}  # two of Okabe and Ito's, kept from the first chapters; below contrast 3 on white

METHODS = {**LEARNER_STYLE, **{f"guest {place}": style for place, style in enumerate(GUEST_STYLES)}}
BY_PLACE = {f"line {place}": style for place, style in enumerate(CYCLE)}

TO_XYZ = np.array(  # linear sRGB, white of daylight D65 (IEC 61966-2-1)
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
EYES = {  # Machado, Oliveira, Fernandes 2009, severity 1, on linear sRGB
    "all cones": np.eye(3),
    "no green cones": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "no red cones": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
}


def linear(colour):
    parts = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(light):
    ratio = TO_XYZ @ np.clip(light, 0, 1) / (TO_XYZ @ np.ones(3))
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def distance(one, other):
    """Return the CIELAB distance of two colours for the eye that tells them apart worst."""
    return min(np.linalg.norm(lab(eye @ linear(one)) - lab(eye @ linear(other))) for eye in EYES.values())


def contrast_on_white(colour):
    return 1.05 / (TO_XYZ[1] @ linear(colour) + 0.05)  # WCAG 2


def ink(style):
    """Return the marker of a style alone, in black, as an array of ink from 0 to 1."""
    figure = Figure(figsize=(0.2, 0.2), dpi=400)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes([0, 0, 1, 1], xlim=(-1, 1), ylim=(-1, 1))
    axes.axis("off")
    face = "black" if style.marks()["markerfacecolor"] == style.colour else "white"
    axes.plot([0], [0], **style.marks() | {"color": "black", "markerfacecolor": face}, markeredgewidth=1.2)
    canvas.draw()
    return 1 - np.asarray(canvas.buffer_rgba())[..., 0] / 255


def difference(one, other):
    """Return the share of the larger of two marks that is not in the other."""
    return np.abs(one - other).sum() / max(one.sum(), other.sum())


def test_the_measures_know_what_is_known():
    assert lab(linear("#FFFFFF")) == pytest.approx([100, 0, 0], abs=1e-6)
    assert lab(linear("#FF0000")) == pytest.approx([53.24, 80.09, 67.20], abs=0.02)  # tabulated, D65
    assert contrast_on_white("#000000") == pytest.approx(21)
    assert contrast_on_white("#767676") == pytest.approx(4.54, abs=0.01)  # the lightest grey of WCAG's level AA
    # red and olive: far apart for most, hardly for who has no green or no red cones
    assert distance("#C80000", "#6B6B00") < 17 < np.linalg.norm(lab(linear("#C80000")) - lab(linear("#6B6B00")))


def test_every_method_of_the_book_has_a_style_and_the_first_six_kept_theirs():
    assert set(LABELS) <= set(LEARNER_STYLE)
    assert {label: (style_of(label).colour, style_of(label).marker) for label in KEPT} == KEPT
    assert all(style_of(label).filled for label in KEPT)
    assert len(CYCLE) >= 10
    assert [(style.colour, style.marker) for style in CYCLE[:6]] == [
        ("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "v"), ("#E69F00", "D"), ("#56B4E9", "P")
    ]  # fmt: skip


@pytest.mark.parametrize("styles", [METHODS, BY_PLACE], ids=["methods and guests", "by position"])
def test_no_two_share_a_mark_or_colour_and_dashes(styles):
    marks = {name: ink(style) for name, style in styles.items()}
    for one, other in combinations(styles, 2):
        first, second = styles[one], styles[other]
        assert (first.marker, first.filled) != (second.marker, second.filled), (one, other)
        assert (first.colour, first.dashes) != (second.colour, second.dashes), (one, other)
        # A disc and a square, which nobody mixes up, differ by 0.20; where colour does not help, half as much again.
        least = 0.18 if first.colour != second.colour else 0.3
        assert difference(marks[one], marks[other]) >= least, (one, other)


def test_colours_differ_for_every_eye_and_stand_out_on_white():
    colours = {style.colour for style in (METHODS | BY_PLACE).values()}
    for one, other in combinations(sorted(colours), 2):
        assert distance(one, other) >= 17, (one, other)  # the nearest two of Okabe and Ito's are 17.9 apart
    assert {colour for colour in colours if contrast_on_white(colour) < 3} == FAINT
    wearers = [label for label, style in METHODS.items() if style.colour in FAINT]
    assert sorted(wearers) == ["random-feature kernel", "transferred"]


def test_guests_wear_colours_that_no_method_wears():
    assert 3 <= len(GUEST_STYLES) <= 4
    assert not {style.colour for style in GUEST_STYLES} & {style.colour for style in LEARNER_STYLE.values()}


def test_patterns_differ():
    for patterns in (HATCHES, THEORY_DASHES, LEVEL_DASHES):
        assert len(set(patterns)) == len(patterns)
    assert len(HATCHES) == len(CYCLE)


def test_own_learners_get_the_guest_styles_in_their_order():
    styles = styles_of(["oracle", "hers", "mine"], "learner", own=["mine", "hers"])
    assert styles == [style_of("oracle"), GUEST_STYLES[1], GUEST_STYLES[0]]
    assert style_of("hers", own=("mine", "hers")) == GUEST_STYLES[1]


def test_lines_that_are_no_methods_take_styles_by_position():
    assert styles_of(["random features", "tangent"], "kernel") == list(CYCLE[:2])
    assert styles_of(range(len(CYCLE)), "degree") == list(CYCLE)


@pytest.mark.parametrize(
    ("names", "line", "own", "sentence"),
    [
        (["one stepp"], "learner", (), r"'one stepp' has no style \(did you mean 'one step'\?\): it must be one of"),
        (["Oracle"], "method", (), r"'Oracle' has no style \(did you mean 'oracle'\?\)"),
        ([3], "learner", (), "learner '3' has no style: it must"),
        (["mine"], "learner", (), "a learner of your own is named in own"),
        (["oracle", "oracle"], "learner", (), "learner = oracle, oracle: each needs a label of its own"),
        (["oracle"], "learner", ["mine"], "own names 'mine': it must be one of oracle"),
        (["oracle", "mine"], "learner", ["oracle"], "own names 'oracle': that is the label of a method of the book"),
        (list("abcde"), "learner", list("abcde"), "own has 5 names: there are 4 styles"),
        (["a", "b"], "learner", ["a", "a"], "own names 'a' twice"),
        (["mine"], "learner", "mine", "own = 'mine' is not accepted: it must be a list of names"),
        (["a"], "law", ["a"], "own names 'a': the lines of this figure are no methods but values of 'law'"),
        (range(12), "degree", (), "degree has 12 values: a figure tells at most 11 of them apart"),
    ],
)
def test_what_has_no_style_is_refused_in_a_sentence(names, line, own, sentence):
    with pytest.raises(BadParameter, match=sentence):
        styles_of(names, line, own)


def test_a_learner_of_one_s_own_needs_a_name():
    with pytest.raises(BadParameter, match="it must be a list of names"):
        check_own([None])
