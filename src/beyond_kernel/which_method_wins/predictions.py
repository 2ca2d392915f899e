"""What each method of the book is predicted to need for a target: one row a method, from theory lines and constants."""

import math
import re
from collections.abc import Sequence
from dataclasses import replace

from beyond_kernel.checks import BadParameter, list_of, real_number, whole_number
from beyond_kernel.foundations.targets.target import Target, parse_target
from beyond_kernel.which_method_wins.measured_orders import Question
from beyond_kernel.which_method_wins.prediction_rows import (
    Prediction,
    free_rows,
    kernel_rows,
    order_row,
    search_row,
    step_rows,
    transfer_rows,
)
from beyond_kernel.which_method_wins.sample_costs import sample_costs

MOST_DIM = 10**6
SEARCHES = ("online SGD", "smoothed SGD", "reused batch", "spectral method")


def predict(
    target: Target | str,
    d: int,
    noise: float = 0.1,
    threshold: float = 0.25,
    source: Target | str | None = None,
    dims: Sequence[int] | None = None,
    by_others: bool = False,
) -> list[Prediction]:
    """Predict for each method of the book how many samples it needs on Gaussian inputs.

    Fixed kernels have a theory line at this very d, with nothing fitted. Other methods have an order, by theorem or as
    measured, times a constant from the stored sweep; the range is that of its targets, and a target of the sweep has a
    constant of its own. A target unlike all of the sweep, by its degree, its rank or its leap, gets no number. Noise
    raises a constant by the rule of ``noise_weight``. What is transferred has the line of a kernel in the directions of
    the source, whose own labels were paid before, times a measured factor.

    Args:
        target: polynomial target, not constant, or its text.
        d: dimension, at most a million and at least the highest index of a variable.
        noise: standard deviation of the label noise, in the units of the target.
        threshold: risk to be reached, E (f - f*)^2 / Var f*, above 0 and below 1.
        source: a task on the same hidden directions that has been learnt before, or its text.
        dims: dimensions of the stored sweep by which constants are fitted; all where they are left out.
        by_others: whether a target of the sweep is predicted from the others alone, as one of your own is.

    Raises:
        BadParameter: if an argument is out of range, or a target is constant or no polynomial.

    Chapter: which_method_wins.

    >>> found = {row.learner: row for row in predict("h2(z1)", 100)}
    >>> found["Gaussian kernel"].order, 3000 < found["Gaussian kernel"].n < 6000
    ('d^2', True)
    """
    whole_number("d", d, most=MOST_DIM)
    level = real_number("threshold", threshold, above=0)
    if level >= 1:
        raise BadParameter(f"threshold = {threshold!r} is out of range: it must be below 1, the risk of a constant.")
    kept = None if dims is None else tuple(list_of("dims", dims, whole_number))
    asked = Question(_task("target", target, d), real_number("noise", noise, least=0), level, kept, by_others)
    given = None if source is None else _task("source", source, d)
    costs = {cost.learner: cost for cost in sample_costs(asked.target)}
    return [
        *kernel_rows(asked, costs["random-feature kernel"]),
        *step_rows(asked, costs["one step"]),
        *free_rows(asked),
        *transfer_rows(asked, costs["transferred"], given),
        *(search_row(asked, costs[name]) for name in SEARCHES),
        order_row(costs["network SGD"]),
    ]


def prediction_columns(predictions: Sequence[Prediction]) -> dict[str, list[str]]:
    """Return predictions as the columns of a table: method, samples, range, order, how, numbers that decide, source.

    Args:
        predictions: rows from ``predict``.

    Chapter: which_method_wins.
    """
    return {
        "method": [row.learner for row in predictions],
        "samples": [rounded(row.n) for row in predictions],
        "range": [_range(row) for row in predictions],
        "order": [row.order for row in predictions],
        "how": [row.how for row in predictions],
        "numbers that decide": [row.reason for row in predictions],
        "source": [row.source for row in predictions],
    }


def rounded(n: float) -> str:
    """Return a number of samples to two digits, "-" where there is none.

    Args:
        n: number of samples, or NaN.

    Chapter: which_method_wins.

    >>> rounded(123456.0), rounded(math.nan), rounded(3.04e12)
    ('120,000', '-', '3.0e12')
    """
    if not math.isfinite(n):
        return "-"
    value = float(f"{n:.1e}")
    return f"{value:,.0f}" if value < 1e6 else f"{value:.1e}".replace("e+0", "e").replace("e+", "e")


def order_in_maths(order: str) -> str:
    """Return an order as it stands in a table of a page, its power between dollar signs.

    Args:
        order: of a row from ``predict``.

    Chapter: which_method_wins.

    >>> order_in_maths("d^(3/2)"), order_in_maths("d"), order_in_maths("constant in d"), order_in_maths("-")
    ('$d^{3/2}$', '$d$', 'constant in $d$', '-')
    """
    return re.sub(r"\bd\b(?:\^\(?([0-9./]+)\)?)?", lambda found: f"$d^{{{found[1]}}}$" if found[1] else "$d$", order)


def _range(row: Prediction) -> str:
    if not math.isfinite(row.n):
        return "-"
    return rounded(row.n) if row.low == row.high else f"{rounded(row.low)} to {rounded(row.high)}"


def _task(name: str, given: Target | str, d: int) -> Target:
    """Return a target in dimension d; only its coefficients are used, whatever its directions are."""
    if not isinstance(given, Target | str):
        raise BadParameter(f"{name} = {given!r} is not accepted: it must be a polynomial target or its text.")
    if isinstance(given, str):
        try:
            given = parse_target(given, d)
        except BadParameter as error:
            raise BadParameter(f"{name}: {error}") from None
    highest = max((variable for index in given.coefficients for variable, _ in index), default=0)
    if highest > d:
        raise BadParameter(f"d = {d} is out of range: {name} {given.text!r} has the variable z{highest}.")
    found = replace(given, dim=d)
    found.information_exponent()  # refuses a constant
    return found
