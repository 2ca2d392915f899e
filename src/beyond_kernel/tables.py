"""Results of a run as a reader sees them: a small captioned table, or a sentence with numbers in it."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from beyond_kernel.checks import BadParameter, whole_number

MISSING = "–"
"""What stands in a table for None and for a number that is NaN."""
FORMULA = re.compile(r"(?<!\\)\$([^$]+)\$")
_NEGATIVE_ZERO = re.compile(r"(?<![\w.)])[-\u2212](0(?:\.0*)?)(?!\w|\.\d)")


@dataclass(frozen=True)
class Table:
    """A captioned table of texts, which a notebook shows as HTML and a terminal as lines.

    Attributes:
        caption: what the table shows, in a sentence or a part of one.
        columns: the texts of each column by its heading, all of one length; the first column names the rows.
        numeric: the headings of the columns that hold numbers, which stand at the right.
    """

    caption: str
    columns: dict[str, list[str]]
    numeric: frozenset[str] = frozenset()

    def __str__(self) -> str:
        columns = [[heading, *texts] for heading, texts in self.columns.items()]
        widths = [max(map(len, column)) for column in columns]
        at_right = [heading in self.numeric for heading in self.columns]
        lines = (
            "  ".join(
                text.rjust(width) if right else text.ljust(width)
                for text, width, right in zip(row, widths, at_right, strict=True)
            ).rstrip()
            for row in zip(*columns, strict=True)
        )
        return "\n".join([self.caption, *lines])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        box = Element("div", {"class": "results"})
        table = SubElement(box, "table", {"class": "dataframe"})
        _fill(SubElement(table, "caption"), self.caption)
        head = SubElement(SubElement(table, "thead"), "tr")
        for heading in self.columns:
            _fill(SubElement(head, "th", {"scope": "col"} | self._place(heading) | _spoken(heading)), heading)
        body = SubElement(table, "tbody")
        for row in zip(*self.columns.values(), strict=True):
            line = SubElement(body, "tr")
            for number, (heading, text) in enumerate(zip(self.columns, row, strict=True)):
                kind, scope = ("td", {}) if number else ("th", {"scope": "row"} | _spoken(text))
                _fill(SubElement(line, kind, scope | self._place(heading)), text)
        return tostring(box, encoding="unicode", method="html")

    def _place(self, heading: str) -> dict[str, str]:
        return {"class": "number"} if heading in self.numeric else {}


def table(columns: Mapping[str, Iterable[Any]], caption: str, digits: int = 3) -> Table:
    """Return a captioned table; as the last expression of a cell it is shown.

    Whole numbers stand as they are, with a comma between thousands, other numbers to ``digits`` significant digits,
    None and NaN as a dash, texts as they are. A text may hold mathematics between single dollar signs.

    Args:
        columns: the values of each column by its heading; the first column names the rows.
        caption: what the table shows, in a sentence or a part of one.
        digits: significant digits of numbers that are not whole.

    Raises:
        BadParameter: if there is no column or no row, if the columns differ in length, or if a text is missing.

    >>> print(table({"samples $n$": [400, 1600], "overlap": [0.4, 0.7612]}, caption="The overlap rises."))
    The overlap rises.
    samples $n$  overlap
            400    0.400
          1,600    0.761
    """
    _said("caption", caption)
    whole_number("digits", digits)
    if not isinstance(columns, Mapping) or not columns:
        raise BadParameter("columns are not accepted: they must be a mapping from heading to values, with an entry.")
    values = {_said("a heading", heading): _values(heading, given) for heading, given in columns.items()}
    lengths = {heading: len(column) for heading, column in values.items()}
    if len(set(lengths.values())) > 1 or not all(lengths.values()):
        told = ", ".join(f"{heading!r} has {length}" for heading, length in lengths.items())
        raise BadParameter(f"the columns of a table must have one number of values, at least one: {told}.")
    numeric = frozenset(heading for heading, column in values.items() if all(map(_is_number, column)))
    return Table(caption, {heading: _texts(column, digits) for heading, column in values.items()}, numeric)


def sentence(text: str) -> Any:
    """Return a text that a notebook shows as Markdown, so that numbers of the run stand in a sentence.

    Args:
        text: what is said, usually an f-string; mathematics stands between single dollar signs.

    Raises:
        BadParameter: if the text is empty or a dollar sign is left open.

    >>> sentence(f"At $n = 16 d^2$ the overlap is {0.7612:.2f}.").data
    'At $n = 16 d^2$ the overlap is 0.76.'
    """
    if len(re.findall(r"(?<!\\)\$", _said("text", text))) % 2:
        raise BadParameter(f"text = {text!r} is not accepted: a dollar sign in it is not closed.")
    from IPython.display import Markdown  # only a notebook has a use for it

    return Markdown(unsigned_zeros(text))


def unsigned_zeros(text: str) -> str:
    """Return a text in which no number that is rounded to zero has a minus sign.

    Every text with numbers of a run goes through here: tables, sentences, claims, and what a figure says.

    Args:
        text: with numbers in it.

    >>> unsigned_zeros("slope -0.00 ± 0.03, from -0.01 to -0")
    'slope 0.00 ± 0.03, from -0.01 to 0'
    """
    return _NEGATIVE_ZERO.sub(r"\1", text)


def _said(name: str, text: Any) -> str:
    if not isinstance(text, str) or not text.strip():
        raise BadParameter(f"{name} = {text!r} is not accepted: it must be a text that says something.")
    return text


def _values(heading: str, given: Any) -> list[Any]:
    """Return the values of a column as plain Python: out of lists, ranges, and arrays of one dimension."""
    if not isinstance(given, str | bytes | Mapping):
        try:
            return [value.item() if hasattr(value, "item") else value for value in given]
        except (TypeError, ValueError, RuntimeError):
            pass
    raise BadParameter(f"the column {heading!r} is not accepted: it must be a list or an array of one dimension.")


def _is_number(value: Any) -> bool:
    return value is None or isinstance(value, int | float) and not isinstance(value, bool)


def _texts(values: list[Any], digits: int) -> list[str]:
    """Return a column as texts; its numbers keep their zeros at the end if one of them needs all its digits."""
    floats = [value for value in values if isinstance(value, float) and math.isfinite(value)]
    padded = any(float(f"{value:.{digits - 1}g}") != value for value in floats) if digits > 1 else False
    return [_text(value, digits, padded) for value in values]


def number(value: Any, digits: int = 3) -> str:
    """Return a single value as a table shows it, without zeros at its end.

    Args:
        value: a number, a text, None or anything else.
        digits: significant digits of a number that is not whole.

    >>> number(-1.2666), number(1600), number(None)
    ('-1.27', '1,600', '–')
    """
    return _text(value, digits, padded=False)


def _text(value: Any, digits: int, padded: bool) -> str:
    return unsigned_zeros(_signed(value, digits, padded))


def _signed(value: Any, digits: int, padded: bool) -> str:
    if value is None or value != value:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, float):
        return str(value)
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    rounded = float(f"{value:.{digits}g}")
    if rounded and not 1e-4 <= abs(rounded) < 1e7:
        mantissa, exponent = f"{rounded:.{digits - 1}e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    if abs(rounded) >= 10 ** (digits - 1):
        return f"{rounded:,.0f}"
    return f"{rounded:#.{digits}g}" if padded else f"{rounded:.{digits}g}"


def _spoken(text: str) -> dict[str, str]:
    """Return a label for a heading without words, since a screen reader cannot count on a drawn formula."""
    return {} if FORMULA.sub("", text).strip() else {"aria-label": text.replace("$", "")}


def _fill(element: Element, text: str) -> None:
    """Put a text into an element; what stands between dollar signs becomes mathematics, marked up as Sphinx does."""
    words, *rest = FORMULA.split(text)
    element.text = words
    for formula, after in zip(rest[::2], rest[1::2], strict=True):
        span = SubElement(element, "span", {"class": "math notranslate nohighlight"})
        span.text, span.tail = rf"\({formula}\)", after
