"""Single-index tasks against quadrature, sampling, and the polynomial target of the same direction."""

import math

import pytest
import torch
from scipy.integrate import quad

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.exponents.single_index import single_index
from beyond_kernel.foundations.inputs.laws import gaussian
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for

X = gaussian(40, 7, generator_for(0, "x"))


def by_quadrature(function):
    return quad(lambda z: function(z) ** 2 * math.exp(-z * z / 2) / math.sqrt(2 * math.pi), -12, 12, epsabs=1e-12)[0]


@pytest.mark.parametrize(
    ("link", "moment"),
    [("relu", 1 / 2), ("abs", 1), ("sign", 1), ("step", 1 / 2), ("he3", 6), ("exp", math.exp(2)), ("z1^2 + 1", 6),
     ("tanh", by_quadrature(math.tanh)), ("sin", (1 - math.exp(-2)) / 2),
     ("sigmoid", by_quadrature(lambda z: 1 / (1 + math.exp(-z))))],
)  # fmt: skip
def test_mean_and_variance_are_those_of_the_normal_law(link, moment):
    """A jump costs the fine sum half a step of 1e-3 times the density there, 2e-4; smooth links lose nothing."""
    rounding = 5e-4 if link in ("sign", "step") else 1e-9
    task = single_index(link, 7)
    assert task.mean**2 + task.variance == pytest.approx(moment, rel=rounding)
    scaled = task.normalised()
    assert scaled.mean**2 + scaled.variance == pytest.approx(1)
    assert scaled.mean * moment**0.5 == pytest.approx(task.mean, rel=rounding)


@pytest.mark.parametrize("seed", [0, 5])
@pytest.mark.parametrize(
    ("link", "text"), [("he3", "He3(z1)"), ("z1^3 - 2*z1", "z1^3 - 2*z1"), ("z1^2 - 1", "He2(z1)")]
)
def test_a_polynomial_link_is_the_target_of_the_same_seed(link, text, seed):
    task, target = single_index(link, 7, seed), parse_target(text, 7, seed)
    assert torch.allclose(task(X), target(X), atol=1e-12)
    assert torch.allclose(task.normalised()(X), target.normalised()(X), atol=1e-12)
    assert task.variance == pytest.approx(target.variance) and task.mean == pytest.approx(target.mean)
    assert torch.allclose(task.directions, target.directions)  # u_1 itself, not its negative


def test_values_are_the_link_along_one_unit_direction():
    task = single_index("tanh", 7, seed=3)
    assert task.dim == 7 and task.directions.shape == (7, 1)
    assert float(task.directions.norm()) == pytest.approx(1)
    assert torch.equal(task(X), torch.tanh(X @ task.directions[:, 0]))
    assert torch.allclose(task(X), task(X @ task.directions @ task.directions.T))


def test_a_normalised_task_has_variance_one_by_sampling():
    task = single_index("relu", 7, seed=1).normalised()
    squares = task(gaussian(50_000, 7, generator_for(1, "x"))).square()
    assert abs(float(squares.mean()) - 1) < 4 * float(squares.std()) / 50_000**0.5
    assert torch.allclose(task(X), 2**0.5 * single_index("relu", 7, seed=1)(X), rtol=1e-8)
    assert torch.allclose(task.normalised()(X), task(X))  # a second time changes nothing


def test_a_function_of_the_reader_is_a_link():
    task = single_index(lambda z: (z > 1).to(z), 7, breakpoints=[1.0])
    above = 0.5 * math.erfc(1 / math.sqrt(2))
    assert task.mean == pytest.approx(above, rel=2e-3) and task.variance == pytest.approx(
        above * (1 - above), rel=2e-3
    )  # a jump costs half a step of its density
    assert set(task(X).tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize("link", ["tanh", "relu", "He3(z1)", torch.sin])
def test_single_precision_gives_single_precision_near_double(link):
    task = single_index(link, 7)
    single = task(X.float())
    assert single.dtype == torch.float32
    assert torch.allclose(single.double(), task(X), rtol=1e-4, atol=1e-5)  # He3 loses a digit by cancellation


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (("z1*z2", 7), r"link 'z1\*z2' has rank 2"),
        (("tanhh", 7), "link = 'tanhh' is not known"),
        ((lambda z: torch.exp(z**2), 7), "grows too fast|not finite"),
        (("relu", 0), "d = 0"),
        (("relu", 7, -1), "seed = -1"),
        ((3, 7), "link = 3 is not accepted"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(call, told):
    with pytest.raises(BadParameter, match=told):
        single_index(*call)


def test_inputs_of_another_dimension_and_a_link_of_zeros_are_refused():
    with pytest.raises(BadParameter, match=r"X has shape \(40, 6\): it must have shape \(n, 7\)"):
        single_index("relu", 7)(X[:, :6])
    with pytest.raises(BadParameter, match="is constant"):
        single_index(torch.zeros_like, 7)


def test_a_target_is_a_task_already_and_a_constant_is_none():
    with pytest.raises(BadParameter, match="is a task already"):
        single_index(parse_target("He3(z1)", 6), 6)
    with pytest.raises(BadParameter, match="constant"):
        single_index(torch.ones_like, 6)
