"""The ball as a task: its chance by hand, against sampling under each radial law, and its values at the edge."""

import math

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.inputs.balls import BallIndicator
from beyond_kernel.foundations.inputs.radial_inputs import RADIAL_LAWS
from beyond_kernel.random_streams import generator_for


@pytest.mark.parametrize("law", RADIAL_LAWS)
@pytest.mark.parametrize(("d", "radius"), [(2, 0.4), (5, 1.0), (8, 1.3)])
def test_variance_is_that_of_samples(law, d, radius):
    ball, n = BallIndicator(d, radius, law), 20_000
    values = ball(RADIAL_LAWS[law](n, d, generator_for(0, "ball", law, d)))
    assert set(values.tolist()) == {0.0, 1.0}
    # the variance of the sample is p (1 - p) of its share p, which scatters by sqrt(p (1 - p) / n)
    assert abs(float(values.var()) - ball.variance) < 4 * math.sqrt(ball.variance / n)


def test_by_hand():
    """In the plane |x|^2 of N(0, I/2) is exponential; two points of a sphere make an acute angle half of the time."""
    assert BallIndicator(2, 0.7, "small Gaussian").variance == pytest.approx(math.exp(-0.49) * (1 - math.exp(-0.49)))
    assert BallIndicator(9, math.sqrt(2), "two spheres").variance == pytest.approx(0.25)
    assert BallIndicator(9, 2.5, "two spheres").variance == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_ball_is_closed_and_only_the_length_matters(dtype):
    ball = BallIndicator(2, 5.0, "small Gaussian")
    X = torch.tensor([[3.0, 4.0], [-4.0, 3.0], [0.0, 5.0], [3.0, 4.1], [0.0, 0.0]], dtype=dtype)
    assert ball(X).tolist() == [1, 1, 1, 0, 1] and ball(X).dtype == dtype
    assert ball.directions is None and ball.dim == 2


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ((1, 1.0, "two spheres"), "d = 1"),
        ((3, 0.0, "two spheres"), "radius = 0.0"),
        ((3, math.inf, "two spheres"), "radius = inf"),
        ((3, 1.0, "two sphere"), "did you mean 'two spheres'"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(call, told):
    with pytest.raises(BadParameter, match=told):
        BallIndicator(*call)


def test_inputs_of_another_dimension_are_refused_with_a_sentence():
    with pytest.raises(BadParameter, match=r"X has shape \(2, 4\): it must have shape \(n, 3\)"):
        BallIndicator(3, 1.0, "two spheres")(torch.ones(2, 4))
