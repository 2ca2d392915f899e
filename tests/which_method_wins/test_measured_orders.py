"""Which rows of the stored sweep count, on sweeps made by hand."""

import itertools
import math

import pytest

from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.which_method_wins import measured_orders
from beyond_kernel.which_method_wins.measured_orders import same_target, search_constant, swept_constant
from beyond_kernel.which_method_wins.predictions import predict
from beyond_kernel.which_method_wins.stored_needs import TARGETS, Need, SearchNeed, middle_need, needs_of

BOOK = TARGETS["the book's"]
SIZES = (10, 100, 1000, 10_000)


def rows(*question, **options):
    return {row.learner: row for row in predict(*question, **options)}


def need(target, learner, d, *risks):
    """Return a row of one seed; its risk is 1 where none is named."""
    found = tuple((risk,) for risk in (*risks, *[1.0] * len(SIZES))[: len(SIZES)])
    return Need(target, learner, d, SIZES, found, (0.1,) * len(SIZES))


@pytest.fixture
def sweep(monkeypatch):
    """Return a function that puts rows in place of the stored ones."""

    def put(*rows, searches=()):
        monkeypatch.setattr(measured_orders, "stored_needs", lambda: rows)
        monkeypatch.setattr(measured_orders, "stored_searches", lambda: searches)

    return put


def test_a_row_that_got_there_in_the_middle_counts(sweep):
    sweep(need("z1*z2", "one step", 10, 0.9, 0.25, 0.1, 0.05))
    found = swept_constant(parse_target("z1*z2", 10), "one step", 2.0, 0.25)
    assert found.middle == pytest.approx(1.0)  # 100 samples at d = 10


def test_rows_at_either_end_of_the_sizes_do_not_count(sweep):
    """At the smallest size it may have been reached before; at the largest it may not be reached at all."""
    inside = need("z1*z2", "one step", 10, 0.9, 0.25, 0.1, 0.05)
    sweep(inside, need("z1*z2", "one step", 5, 0.1, 0.1, 0.1, 0.1), need("z1*z2", "one step", 20, 0.9, 0.9, 0.9, 0.9))
    found = swept_constant(parse_target("z1*z2", 10), "one step", 2.0, 0.25)
    assert (found.low, found.high) == pytest.approx((1.0, 1.0))
    sweep(need("z1*z2", "one step", 5, 0.1, 0.1, 0.1, 0.1))
    assert swept_constant(parse_target("z1*z2", 10), "one step", 2.0, 0.25) is None


def test_targets_of_another_order_dimensions_and_methods_do_not_count(sweep):
    rows = [need("z1*z2", "one step", d, 0.9, 0.25, 0.1, 0.05) for d in (10, 20)]
    sweep(*rows, need("z1", "one step", 10, 0.9, 0.25, 0.1, 0.05), need("z1*z2", "network", 10, 0.9, 0.25, 0.1, 0.05))
    target = parse_target("z1*z2 + z3^2", 30)
    found = swept_constant(target, "one step", 2.0, 0.25)
    assert found.targets == ("z1*z2",) and (found.low, found.high) == pytest.approx((0.25, 1.0))
    assert swept_constant(target, "one step", 2.0, 0.25, dims=[20]).middle == pytest.approx(0.25)
    assert swept_constant(target, "one step", 1.0, 0.25).targets == ("z1",)


def test_a_lower_risk_never_takes_less(sweep):
    """Only the easier target gets to 0.2; at 0.25 the harder one counts as well, and would make more of it."""
    sweep(
        need("z1*z2", "one step", 10, 0.9, 0.2, 0.1, 0.05),
        need("z1*z2 + z3^2", "one step", 10, 0.9, 0.9, 0.24, 0.24),
        need("z1*z2 - z3*z4", "one step", 10, 0.9, 0.9, 0.24, 0.24),
    )
    target = parse_target("z1^2 + 7*z2^2", 10)
    needed = [swept_constant(target, "one step", 2.0, level).samples(10)[0] for level in (0.2, 0.22, 0.25, 0.4)]
    assert needed == sorted(needed, reverse=True) and needed[0] == pytest.approx(needed[2])


def test_between_two_levels_it_is_interpolated(sweep):
    """Risk linear in log n: 0.9 at 10 and 0.1 at 100, so 0.55 is reached at 10^(1 + 0.35 / 0.8)."""
    sweep(need("z1*z2", "one step", 10, 0.9, 0.1, 0.05, 0.05))
    found = swept_constant(parse_target("z1*z2", 10), "one step", 2.0, 0.55)
    assert found.samples(10)[0] == pytest.approx(10 ** (1 + 0.35 / 0.8))


def test_below_the_lowest_level_nothing_is_said(sweep):
    sweep(need("z1*z2", "one step", 10, 0.9, 0.25, 0.1, 0.01))
    assert swept_constant(parse_target("z1*z2", 10), "one step", 2.0, 0.19) is None


def test_searches_count_by_their_exponent(sweep):
    searches = [SearchNeed("h3(z1)", "online SGD", 10, 300.0), SearchNeed("h2(z1)", "online SGD", 10, 50.0)]
    sweep(searches=[*searches, SearchNeed("h3(z1)", "online SGD", 20, math.nan)])
    assert search_constant(parse_target("h3(z2)", 5), "online SGD", 2.0).middle == pytest.approx(3.0)
    assert search_constant(parse_target("z1", 5), "smoothed SGD", 1.0) is None


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("h3(z4) + z2", True),
        ("7 - 3*h3(z1) - 3*z2", True),
        ("h3(z1) - z2", True),  # -z2 for z2
        ("h3(z4) - z4", False),
        ("2*h3(z1) + z2", False),
        ("h3(z1) + z1", False),
        ("h3(z1) + z2 + z3", False),
    ],
)
def test_a_target_of_the_sweep_is_known_by_whatever_names(other, same):
    assert same_target("h3(z1) + z2", parse_target(other, 5)) == same


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("h2(z1)*z2 - z2 + z1", True),  # -z2 for z2, then the sign of all: h2(z1) z2 - z2 - z1, and -z1 for z1
        ("-h2(z3)*z1 + z1 + z3", True),
        ("h2(z1)*z2 + z2 + z1", False),  # no sign of a variable turns z2 but not h2(z1) z2
        ("h2(z1)*z2 - 2*z2 + z1", False),
    ],
)
def test_signs_of_variables_do_not_matter(other, same):
    assert same_target("h2(z1)*z2 - z2 + z1", parse_target(other, 5)) == same


@pytest.mark.parametrize(
    "text", ["z1*z2*z3*z4", "h2(z1)*h2(z2)", "h4(z1)", "h2(z1) + h4(z2)", "h9(z1)", "z1*z2 + z3*z4"]
)
def test_a_target_unlike_all_of_the_sweep_gets_no_number(text):
    """Measured: the first learnt nothing at four times the samples of a constant, the second little at its range's end.

    Of the last the rank is outside: there the constant did no harm, and there is no number all the same.
    """
    for learner in ("recursive features", "one step, metric kernel"):
        row = rows(text, 16)[learner]
        assert math.isnan(row.n) and row.order == "-" and "unlike the targets of the sweep" in row.reason
    assert math.isfinite(rows(text, 16)["Gaussian kernel"].n)


def test_beyond_the_sweep_the_range_of_one_step_goes_down_to_its_slowest_growth():
    """Powers between the least and the largest dimension in which a border was measured, by hand from the sweep."""
    powers = []
    for level, name in itertools.product((0.2, 0.25, 0.3, 0.4, 0.5), ("the book's", "degree two", "exponent 2")):
        found = {need.d: middle_need(need, level) for need in needs_of(TARGETS[name], "one step")}
        dims = [d for d, n in found.items() if math.isfinite(n)]
        powers.append(math.log(found[dims[-1]] / found[dims[0]]) / math.log(dims[-1] / dims[0]))
    assert (round(min(powers), 1), round(max(powers), 1)) == (1.1, 1.6)
    near, far, inside = (rows(TARGETS["degree two"], d)["one step"] for d in (32, 3200, 16))
    assert far.n / near.n == far.high / near.high == pytest.approx(100**2)
    assert far.low / near.low == pytest.approx(100**1.1)
    assert inside.low / near.low == pytest.approx(0.25)


def test_a_number_by_the_other_targets_is_not_that_of_the_target_itself():
    """Its own constant lies within the range of the others, and is another one."""
    for learner in ("recursive features", "one step, metric kernel"):
        own, others = rows(BOOK, 24, threshold=0.5)[learner], rows(BOOK, 24, threshold=0.5, by_others=True)[learner]
        assert "very target" in own.reason and "very target" not in others.reason
        assert math.isnan(others.n) or others.n != own.n
