"""Doubts the correlations of neurons with a polynomial link against quadrature and finite differences."""

import math

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.scaled_link import learning_link
from beyond_kernel.transfer.link_correlations import correlation_slope, link_correlation, link_products

LINKS = ["he3", "(h2(z1)+h4(z1))/sqrt(2)", "h1(z1)/2 + h2(z1)/4 - h4(z1)/12"]


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("text", LINKS)
def test_products_of_links_are_those_of_quadrature(text):
    link = learning_link(text)
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)
    weights = weights / weights.sum()
    for A, B, C in ((1.7, 0.6, -0.5), (1.0, 1.0, 0.3), (2.0, 0.4, 0.0)):
        p = math.sqrt(A) * nodes[:, None] + 0 * nodes[None]
        q = C / A * p + math.sqrt(B - C**2 / A) * nodes[None]
        f, g = link(torch.as_tensor(p)).numpy(), link(torch.as_tensor(q)).numpy()
        both = weights[:, None] * weights[None]
        assert abs(float(link_products(link, tensor(A), tensor(B), tensor(C))) - (both * f * g).sum()) < 1e-10
        means = (both * f).sum() * (both * g).sum()
        assert abs(float(link_products(link, tensor(A), tensor(B), tensor(C), constant_only=True)) - means) < 1e-10


@pytest.mark.parametrize("text", LINKS)
def test_correlations_have_their_slope(text):
    link = learning_link(text)
    for r in (-0.6, 0.0, 0.5, 0.9):
        step = (link_correlation(link, r + 1e-6) - link_correlation(link, r - 1e-6)) / 2e-6
        assert correlation_slope(link, r) == pytest.approx(step, abs=1e-7)
        assert link_correlation(link, r) == pytest.approx(float(link_products(link, tensor(1), tensor(1), tensor(r))))
    assert link_correlation(link, 1.0) == pytest.approx(1)


def test_bad_input_ends_in_one_sentence():
    link, one = learning_link("tanh"), tensor(1)
    for call in (
        lambda: link_correlation(link, 0.5),
        lambda: correlation_slope(link, 0.5),
        lambda: link_products(link, one, one, one),
    ):
        with pytest.raises(BadParameter, match="polynomial"):
            call()
    with pytest.raises(BadParameter, match="cosine = 1.5"):
        link_correlation(learning_link("he3"), 1.5)
