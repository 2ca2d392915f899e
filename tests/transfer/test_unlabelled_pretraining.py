"""Components drawn without inputs against components of inputs, their limit, and signs told by labels."""

import math

import pytest
import torch
from scipy.stats import ks_2samp, kstest

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.inputs.spiked_inputs import first_component, spiked_law
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.spiked_neuron import spiked_neuron, state_overlaps
from beyond_kernel.transfer.unlabelled_pretraining import (
    bidiagonal_sample,
    component_overlaps,
    component_starts,
    random_starts,
    signed_by_labels,
)

F64 = torch.float64
CHANCE = 1e-3  # a Kolmogorov-Smirnov test at this level is red in one of a thousand seeds, and the seeds are fixed


@pytest.mark.parametrize(("d", "n"), [(12, 7), (12, 11), (12, 12), (12, 13), (12, 60)])
def test_the_overlap_has_the_law_of_an_explicit_component(d, n):
    spike = torch.eye(d, dtype=F64)[3]
    law, generator = spiked_law(spike, 1.5), generator_for(0, "explicit", n)
    explicit = [abs(float(first_component(law(n, d, generator, F64)) @ spike)) for _ in range(2000)]
    chained = component_overlaps(d, n, 1.5, 2000, generator_for(0, "chained", n))
    assert ks_2samp(explicit, chained.numpy()).pvalue > CHANCE


def test_the_bidiagonal_matrix_has_the_squared_length_of_the_sample():
    """The mean of the sum of all squares is n (d + theta); its standard deviation over 4,000 draws is 0.3 % of it."""
    d, n, theta = 9, 5, 2.0
    generator = generator_for(1)
    drawn = [bidiagonal_sample(d, n, theta, generator) for _ in range(4000)]
    mean = sum(float((a**2).sum() + (b**2).sum()) for a, b in drawn) / len(drawn)
    assert mean == pytest.approx(n * (d + theta), rel=0.015)
    assert [len(part) for part in drawn[0]] == [5, 5]
    assert [len(part) for part in bidiagonal_sample(d, 40, theta, generator)] == [9, 8]


@pytest.mark.parametrize(("ratio", "theta"), [(20, 1.0), (4, 1.0), (2, 2.0)])
def test_the_overlap_tends_to_its_limit(ratio, theta):
    """The limit as Paul (2007) has it, (1 - g / theta^2) / (1 + g / theta) squared, g = d / n; fluctuations d^-1/2."""
    limit = math.sqrt((1 - 1 / ratio / theta**2) / (1 + 1 / ratio / theta))
    found = component_overlaps(2000, 2000 * ratio, theta, 9, generator_for(1, ratio))
    assert abs(float(found.median()) - limit) < 0.02


def test_below_the_threshold_the_component_knows_nothing():
    assert float(component_overlaps(2000, 1000, 1.0, 9, generator_for(2)).median()) < 0.2


def test_starts_have_the_size_they_should():
    task = spiked_neuron("he3", 100, 1.0, 0.45)
    component, chance = component_starts(task, 2000, 400, generator_for(5)), random_starts(task, 4000, generator_for(5))
    assert component.dtype == chance.dtype == F64
    assert max(float(starts.square().sum(1).max()) for starts in (component, chance)) <= 1
    assert abs(float((component[:, 0] > 0).double().mean()) - 0.5) < 0.1  # the sign is a coin: 4 standard errors
    assert float(chance.square().mean()) == pytest.approx(0.01, rel=0.1)  # 1 / d in each coordinate
    rest = component[:, 1].square() / (1 - component[:, 0].square())
    assert float(rest.mean()) == pytest.approx(1 / 99, rel=0.3)  # beside the spike uniform in d - 1 dimensions


def test_a_random_start_is_uniform():
    """In d = 4 a coordinate of a uniform unit vector has the density 2 sqrt(1 - t^2) / pi, and those of a pair fit."""
    starts = random_starts(spiked_neuron("he3", 4, 1.0, 0.45), 4000, generator_for(6))
    law = lambda t: 0.5 + (t * (1 - t * t) ** 0.5 + torch.asin(torch.as_tensor(t)).numpy()) / math.pi  # noqa: E731
    for values in (starts[:, 0], starts[:, 1], (starts @ torch.tensor([0.6, 0.8], dtype=F64))):
        assert kstest(values.numpy(), law).pvalue > CHANCE


def test_a_sign_is_as_often_right_as_in_d_dimensions():
    """Labels of explicit inputs choose the sign of an explicit neuron; the share of right signs is compared."""
    d, labels, replicas, cosine = 12, 8, 3000, 0.5
    task = spiked_neuron("h3(z1)", d, 1.0, cosine, 0.3)
    a, b = 0.6, 0.2
    spike, e = torch.eye(d, dtype=F64)[:2]
    w = a * spike + b * e + math.sqrt(1 - a * a - b * b) * torch.eye(d, dtype=F64)[2]
    u = cosine * spike + math.sqrt(1 - cosine**2) * e
    generator = generator_for(7, "explicit")
    X = spiked_law(spike, 1.0)(labels * replicas, d, generator, F64)
    y = task.link(X @ u) + 0.3 * torch.randn(len(X), generator=generator, dtype=F64)
    gains = (y * (task.link(X @ w) - task.link(-X @ w))).reshape(replicas, labels).sum(1)
    starts = torch.tensor([[a, b]], dtype=F64).repeat(replicas, 1)
    signed = signed_by_labels(task, -starts, labels, generator_for(7, "chain"))
    shares = float((gains > 0).double().mean()), float((signed[:, 0] > 0).double().mean())
    assert abs(shares[0] - shares[1]) < 5 * math.sqrt(0.5 / replicas) and 0.55 < shares[0] < 0.95


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_many_labels_tell_the_sign(dtype):
    task = spiked_neuron("he3", 200, 1.0, 0.45)
    starts = component_starts(task, 4000, 200, generator_for(6)).to(dtype)
    signed = signed_by_labels(task, starts, 2000, generator_for(6, "labels"))
    assert torch.equal(signed.abs(), starts.abs()) and signed.dtype == dtype
    assert float((state_overlaps(task, signed) > 0).double().mean()) > 0.99


def test_an_even_link_tells_no_sign():
    task = spiked_neuron("he2", 50, 1.0, 0.45)
    starts = component_starts(task, 400, 20, generator_for(8))
    assert torch.equal(signed_by_labels(task, starts, 30, generator_for(9)), starts)


@pytest.mark.parametrize(
    "call",
    [
        lambda: component_overlaps(10, 1, 1.0, 5, generator_for(0)),
        lambda: component_overlaps(3, 10, 1.0, 5, generator_for(0)),
        lambda: component_overlaps(10, 10, -1.0, 5, generator_for(0)),
        lambda: component_overlaps(10, 10, 1.0, 0, generator_for(0)),
        lambda: random_starts(spiked_neuron("he3", 9, 1.0, 0.4), 0, generator_for(0)),
        lambda: signed_by_labels(spiked_neuron("he3", 9, 1.0, 0.4), torch.zeros(2, 2), 0, generator_for(0)),
        lambda: signed_by_labels(spiked_neuron("he3", 9, 1.0, 0.4), torch.zeros(2, 3), 5, generator_for(0)),
    ],
)
def test_bad_values_end_in_one_sentence(call):
    with pytest.raises(BadParameter) as found:
        call()
    assert "\n" not in str(found.value)
