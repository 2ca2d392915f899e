"""The neuron on inputs with a spike: its checks, its overlap, and the same labels in d dimensions."""

import math

import pytest
import torch
from scipy.integrate import quad

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning.samples import draw_problem
from beyond_kernel.transfer.spiked_neuron import spiked_neuron, spiked_task, state_overlaps, told_signs

F64 = torch.float64


def test_the_overlap_is_the_inner_product_in_d_dimensions():
    d, cosine = 7, 0.6
    mu, e = torch.eye(d, dtype=F64)[:2]
    u = cosine * mu + math.sqrt(1 - cosine**2) * e
    W = torch.nn.functional.normalize(torch.arange(1.0, 5 * d + 1, dtype=F64).sin().reshape(5, d), dim=1)
    found = state_overlaps(spiked_neuron("he3", d, 1.0, cosine), W[:, :2])
    torch.testing.assert_close(found, W @ u)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_told_sign_makes_the_overlap_positive_and_changes_nothing_else(dtype):
    task = spiked_neuron("he3", 7, 1.0, 0.6)
    starts = torch.tensor([[-0.5, 0.1], [0.5, -0.1], [0.0, -0.2]], dtype=dtype)
    told = told_signs(task, starts)
    assert told.dtype == dtype and torch.equal(told.abs(), starts.abs())
    assert torch.equal(told, torch.tensor([[0.5, -0.1], [0.5, -0.1], [0.0, 0.2]], dtype=dtype))


def test_the_task_in_d_dimensions_has_the_cosine_the_spike_and_the_variance():
    task = spiked_task(spiked_neuron("h3(z1)", 30, 2.0, 0.7), seed=3)
    u = task.directions[:, 0]
    assert float(task.spike @ u) == pytest.approx(0.7) and float(u.norm()) == pytest.approx(1)
    sample = draw_problem(task, 200_000, 0.0, seed=1, n_test=1).train
    assert float((sample.X @ task.spike).var()) == pytest.approx(3.0, rel=0.02)  # standard error 0.3 %
    assert float((sample.X @ u).var()) == pytest.approx(1 + 2 * 0.49, rel=0.02)
    assert torch.equal(sample.y, sample.truth)
    torch.testing.assert_close(sample.y, ((sample.X @ u) ** 3 - 3 * (sample.X @ u)) / math.sqrt(6))


def test_the_variance_is_that_of_an_integral():
    sigma = math.sqrt(1 + 2 * 0.49)
    density = lambda z: math.exp(-z * z / 2) / math.sqrt(2 * math.pi)  # noqa: E731
    cubic = lambda z: (z**3 - 3 * z) / math.sqrt(6)  # noqa: E731
    exact = quad(lambda z: cubic(sigma * z) ** 2 * density(z), -12, 12)[0]
    assert spiked_task(spiked_neuron("h3(z1)", 9, 2.0, 0.7)).variance == pytest.approx(exact)


def test_even_links_are_known():
    even = [spiked_neuron(text, 9, 1.0, 0.5).is_even for text in ("he2", "h4(z1)", "he3", "h2(z1) + h3(z1)")]
    assert even == [True, True, False, False]


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (("he3", 3, 1.0, 0.4), "dim = 3"),
        (("he3", 9, -1.0, 0.4), "strength = -1"),
        (("he3", 9, 1.0, 1.4), "cosine = 1.4"),
        (("he3", 9, 1.0, 0.4, -0.1), "noise = -0.1"),
        (("1", 9, 1.0, 0.4), "holds no variable"),
        (("z1*z2", 9, 1.0, 0.4), "rank 2"),
    ],
)
def test_bad_values_end_in_one_sentence(values, named):
    with pytest.raises(BadParameter, match=named) as found:
        spiked_neuron(*values)
    assert "\n" not in str(found.value)


def test_bad_states_end_in_one_sentence():
    task = spiked_neuron("he3", 9, 1.0, 0.4)
    with pytest.raises(BadParameter, match="states has shape"):
        state_overlaps(task, torch.zeros(4, 3))
    with pytest.raises(TypeError, match="states"):
        state_overlaps(task, torch.zeros(4, 2, dtype=torch.int64))
    with pytest.raises(BadParameter, match="seed"):
        spiked_task(task, -1)
