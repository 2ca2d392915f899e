"""Tables and sentences of results: what is rounded, what is refused, and that page and terminal show them."""

import math
from fractions import Fraction
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
import xarray

from beyond_kernel.checks import BadParameter
from beyond_kernel.tables import number, sentence, table, unsigned_zeros


def html(**columns):
    return ElementTree.fromstring(table(columns, caption="Some numbers.")._repr_html_())


def column(values, digits=3):
    return table({"x": values}, caption="Some numbers.", digits=digits).columns["x"]


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [
        (0.7612, 3, "0.761"), (-1.2666, 3, "-1.27"), (0.0, 3, "0"), (-0.01234, 3, "-0.0123"), (0.7612, 1, "0.8"),
        (123.4, 3, "123"), (123.4, 5, "123.4"), (1234.4, 3, "1,230"), (999.6, 3, "1,000"), (99.96, 3, "100"),
        (230_400, 3, "230,400"), (-1600, 3, "-1,600"), (230_456.0, 3, "230,000"), (12_345_678.0, 3, "1.23e7"),
        (0.0001234, 3, "0.000123"), (0.00001234, 3, "1.23e-5"), (0.00009999, 3, "0.0001"), (9_999_999.0, 3, "1.00e7"),
        (math.nan, 3, "–"), (None, 3, "–"), (math.inf, 3, "∞"), (-math.inf, 3, "-∞"), (True, 3, "yes"),
        (Fraction(1, 3), 3, "1/3"), ("n / d", 3, "n / d"),
    ],
)  # fmt: skip
def test_a_number_has_its_significant_digits_and_no_more(value, digits, shown):
    assert number(value, digits) == shown


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("slope -0.00 ± 0.03", "slope 0.00 ± 0.03"), ("-0", "0"), ("from -0.0 to -0.000.", "from 0.0 to 0.000."),
        ("$-0.00$", "$0.00$"), ("\u22120.0", "0.0"), ("-0.001 and -0.05", "-0.001 and -0.05"), ("-0.5", "-0.5"),
        ("2020-0.00", "2020-0.00"), ("1.0e-0", "1.0e-0"), ("x_1-0.0", "x_1-0.0"), ("-01", "-01"),
    ],
)  # fmt: skip
def test_no_zero_has_a_minus_sign_and_nothing_else_is_touched(given, shown):
    assert unsigned_zeros(given) == shown


def test_numbers_columns_and_sentences_have_no_negative_zero():
    assert number(-0.0) == "0" and column([-0.0, 1.25]) == ["0.00", "1.25"]
    assert column([f"{-0.001:.2f}", "-0.5 (-0.0 to 1.0)"]) == ["0.00", "-0.5 (0.0 to 1.0)"]
    assert sentence(f"It is {-0.004:.2f}, not {-0.006:.2f}.").data == "It is 0.00, not -0.01."


@pytest.mark.parametrize("seed", range(5))
def test_a_table_is_true_to_three_digits(seed):
    values = np.random.default_rng(seed).lognormal(0, 8, 200)
    read = np.array([float(text.replace(",", "")) for text in column(values)])
    assert np.abs(read / values - 1).max() <= 5.001e-3  # half a unit of the third digit, at worst behind a leading 1


def test_zeros_at_the_end_stay_where_a_neighbour_needs_the_digits():
    assert column([0.7, 0.761, 1.0]) == ["0.700", "0.761", "1.00"]
    assert column([0.5, 1.0, 2.0]) == ["0.5", "1", "2"]


@pytest.mark.parametrize(
    "values",
    [[1.5, 2.5], (1.5, 2.5), np.array([1.5, 2.5]), torch.tensor([1.5, 2.5]), xarray.DataArray([1.5, 2.5], dims="n")],
)
def test_columns_may_be_lists_or_arrays(values):
    assert column(values) == ["1.5", "2.5"]


def test_a_terminal_shows_aligned_columns():
    shown = table({"learner": ["one step", "kernel"], "n": [400, 1600]}, caption="What it takes.")
    assert str(shown) == repr(shown) == "What it takes.\nlearner       n\none step    400\nkernel    1,600"


def test_a_reader_of_the_screen_hears_caption_and_headings():
    page = html(learner=["one step", "kernel"], risk=[0.5, 0.25])
    assert page.find("table/caption").text == "Some numbers."
    heads = [(head.text, head.get("scope")) for head in page.iter("th")]
    assert heads == [("learner", "col"), ("risk", "col"), ("one step", "row"), ("kernel", "row")]
    assert [cell.get("class") for cell in page.iter("td")] == ["number", "number"]
    assert page.find(".//tbody/tr/th").get("class") is None


def test_signs_of_markup_are_text_and_dollars_are_mathematics():
    page = html(**{"x < y": ["a & b", "<b>bold</b>"], "$n/d^2$ of $\\R$": ["costs 5\\$", "-"]})
    assert [head.text for head in page.iter("th")][:1] == ["x < y"]
    assert [row.text for row in page.findall(".//tbody/tr/th")] == ["a & b", "<b>bold</b>"]
    formulas = [span.text for span in page.iter("span")]
    assert formulas == ["\\(n/d^2\\)", "\\(\\R\\)"]


def test_a_heading_of_mathematics_alone_can_be_heard():
    page = html(**{"$n/d^2$": ["$d$", "small $d$"], "for $n$": [1, 2]})
    assert [head.get("aria-label") for head in page.iter("th")] == ["n/d^2", None, "d", None]


def test_the_same_table_is_the_same_page():
    first, second = (table({"n": [1, 2]}, caption="Twice.")._repr_html_() for _ in range(2))
    assert first == second and "id=" not in first


@pytest.mark.parametrize(
    ("columns", "settings", "sentence_of_the_fault"),
    [
        ({}, {}, "columns are not accepted"),
        ([1, 2], {}, "columns are not accepted"),
        ({"n": []}, {}, "at least one: 'n' has 0"),
        ({"n": [1, 2], "risk": [0.5]}, {}, "'n' has 2, 'risk' has 1"),
        ({"n": 3}, {}, "the column 'n' is not accepted"),
        ({"n": "abc"}, {}, "the column 'n' is not accepted"),
        ({"n": torch.tensor(3.0)}, {}, "the column 'n' is not accepted"),
        ({"n": np.ones((2, 2))}, {}, "the column 'n' is not accepted"),
        ({"n": torch.ones(2, 2)}, {}, "the column 'n' is not accepted"),
        ({"": [1]}, {}, "a heading = ''"),
        ({3: [1]}, {}, "a heading = 3"),
        ({"n": [1]}, {"caption": " "}, "caption = ' '"),
        ({"n": [1]}, {"digits": 0}, "digits = 0"),
    ],
)
def test_what_is_no_table_is_refused_in_one_sentence(columns, settings, sentence_of_the_fault):
    with pytest.raises(BadParameter, match=sentence_of_the_fault) as error:
        table(columns, **{"caption": "Some numbers.", **settings})
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


def test_a_sentence_is_shown_as_markdown():
    shown = sentence(f"At $n = 16 d^2$ the overlap is {0.7612:.2f}; it costs 5\\$.")
    assert shown._repr_markdown_() == "At $n = 16 d^2$ the overlap is 0.76; it costs 5\\$."


@pytest.mark.parametrize(("text", "fault"), [("", "text = ''"), (3, "text = 3"), ("At $n", "dollar sign")])
def test_what_is_no_sentence_is_refused(text, fault):
    with pytest.raises(BadParameter, match=fault):
        sentence(text)
