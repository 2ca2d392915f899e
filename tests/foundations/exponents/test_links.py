"""Links: what a name, a text, a callable or a target stands for, and what is refused."""

import math

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.exponents.links import NAMED_LINKS, as_link, mean_and_variance, refuse_constant
from beyond_kernel.foundations.inputs.laws import gaussian
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for

POINTS = torch.linspace(-3, 3, 61, dtype=torch.float64)


def test_a_text_and_its_callable_are_one_function():
    text, function = as_link("z1^3 - 2*z1 + 1"), as_link(lambda z: z**3 - 2 * z + 1)
    torch.testing.assert_close(text(POINTS), function(POINTS), rtol=1e-12, atol=1e-12)  # rounding
    torch.testing.assert_close(as_link("he3")(POINTS), POINTS**3 - 3 * POINTS, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", NAMED_LINKS)
def test_every_named_link_is_finite_and_smooth_away_from_its_breakpoints(name):
    link = as_link(name)
    values = link(POINTS)
    assert torch.isfinite(values).all() and values.dtype == torch.float64
    jumps = values.diff().abs() > 8 * POINTS.diff() * (1 + values[1:].abs())  # e^3 has slope 20 where it is 20
    near = torch.tensor([any(a - 1e-9 <= cut <= b + 1e-9 for cut in link.breakpoints) for a, b in _cells()])
    assert not (jumps & ~near).any()


def _cells():
    return zip(POINTS[:-1].tolist(), POINTS[1:].tolist(), strict=True)


def test_a_target_in_a_turned_frame_is_the_same_link():
    target = parse_target("z1^2 + z1", 7, seed=3)
    torch.testing.assert_close(as_link(target)(POINTS), POINTS**2 + POINTS, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(as_link(target.normalised())(POINTS), (POINTS**2 + POINTS) / 2, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("link", "mean", "variance"),
    [
        ("relu", 1 / math.sqrt(2 * math.pi), 0.5 - 1 / (2 * math.pi)),
        ("sign", 0.0, 1.0),
        ("step", 0.5, 0.25),
        ("exp", math.exp(0.5), math.exp(2) - math.e),
        ("he4", 0.0, 24.0),
        ("z1^12", 10395.0, 316234143225.0 - 10395.0**2),  # 11!! and 23!!
    ],
)
def test_mean_and_variance_by_closed_form(link, mean, variance):
    found = mean_and_variance(as_link(link))
    assert found == pytest.approx((mean, variance), rel=1e-11, abs=1e-12)  # rounding


@pytest.mark.parametrize("cut", [0.0, -1.0, 0.3, math.pi])
@pytest.mark.parametrize("there", [-7.0, 0.0, 7.0])
def test_the_value_at_a_jump_is_no_part_of_the_mean(cut, there):
    """P(z > cut), whatever value the function has at the jump itself."""
    jump = as_link(lambda z: torch.where(z == cut, torch.full_like(z, there), (z > cut).to(z)), [cut])
    chance = math.erfc(cut / math.sqrt(2)) / 2
    assert mean_and_variance(jump) == pytest.approx((chance, chance * (1 - chance)), rel=1e-11)  # rounding


@pytest.mark.parametrize(
    ("given", "phrase"),
    [
        ("foo", "not known"),
        ("relu(z1)", "relu is a link"),
        ("", "empty"),
        ("3", "no variable"),
        ("he13", "at most 12"),
        ("z1^", "expected"),
        (3, "must be a name"),
        (None, "must be a name"),
    ],
)
def test_what_is_no_link_is_refused_in_one_sentence(given, phrase):
    with pytest.raises(BadParameter, match=phrase) as caught:
        as_link(given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("function", "phrase"),
    [
        (torch.log, "not finite"),
        (lambda z: z * float("nan"), "not finite"),
        (lambda z: z[:-1], "must map"),
        (lambda z: z.sum(), "must map"),
        (lambda z: z.numpy(), "ndarray"),
        (lambda z: 1.0, "float"),
        (lambda z: z + torch.ones(3), "failed"),
        (lambda z: z.to(torch.complex128), "must map"),
    ],
)
def test_a_bad_callable_is_refused_when_it_is_called(function, phrase):
    with pytest.raises(BadParameter, match=phrase):
        as_link(function)(POINTS)


def test_breakpoints_are_checked():
    assert as_link(torch.relu, [1, -1.0]).breakpoints == (-1.0, 1.0)
    with pytest.raises(BadParameter):
        as_link(torch.relu, [float("nan")])


@pytest.mark.parametrize("rate", [0.26, 0.3, 1.0, 20.0])
def test_a_function_without_second_moment_is_refused(rate):
    with pytest.raises(BadParameter, match="grows too fast"):
        mean_and_variance(as_link(lambda z: torch.exp(rate * z**2).clamp(max=1e300)))


def test_a_function_with_a_heavy_but_finite_second_moment_is_accepted():
    mean, variance = mean_and_variance(as_link(lambda z: torch.exp(0.2 * z**2)))
    assert mean == pytest.approx(0.6**-0.5, rel=1e-9)  # E exp(c z^2) = (1 - 2 c)^(-1/2)
    assert variance + mean**2 == pytest.approx(0.2**-0.5, rel=1e-6)  # |z| > 24 holds 1e-26


@pytest.mark.parametrize("shift", [0.0, 1.0, 1e8])
def test_a_constant_is_refused_whatever_its_size(shift):
    with pytest.raises(BadParameter, match="constant"):
        refuse_constant(as_link(lambda z: 0 * z + shift))


def test_several_directions_have_no_values_on_a_line():
    with pytest.raises(BadParameter, match="several directions"):
        as_link("z1*z2")(POINTS)


@pytest.mark.parametrize("text", ["z2", "(z1 + z2)^2 - (z1 + z2)", "(2*z1 - z2 + 2*z3)^3/27 + (2*z1 - z2 + 2*z3)/3"])
def test_a_single_index_in_any_coordinates_has_the_values_of_the_target(text):
    """The inputs lie along the one direction that matters and move across it: t = <v, x> decides alone."""
    target = parse_target(text, 6, seed=4)
    v = target.directions[:, 0]
    across = gaussian(len(POINTS), 6, generator_for(0, "across"))
    X = POINTS[:, None] * v + across - torch.outer(across @ v, v)
    values = as_link(target)(POINTS)
    mirrored = as_link(target)(-POINTS)  # the sign of v is a choice
    assert min(float((found - target(X)).abs().max()) for found in (values, mirrored)) < 1e-10


@pytest.mark.parametrize("link", ["relu", "step", "he3", "(z1 + z2)^2", lambda z: z.double() ** 2])
def test_a_link_keeps_the_precision_of_its_points(link):
    values = as_link(link)(POINTS.float())
    assert values.dtype == torch.float32
    torch.testing.assert_close(values.double(), as_link(link)(POINTS.float().double()), rtol=1e-5, atol=1e-5)
