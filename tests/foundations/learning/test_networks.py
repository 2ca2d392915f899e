"""The two-layer network against its formula, and the start at which it vanishes."""

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning.networks import BLOCK, TwoLayerNetwork, symmetric_init


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_network_is_its_formula(dtype):
    generator = torch.Generator().manual_seed(0)
    W, a, b, X = (torch.randn(*s, generator=generator, dtype=dtype) for s in [(6, 3), (6,), (6,), (11, 3)])
    network = TwoLayerNetwork(W, a, b)
    for x, value in zip(X, network(X), strict=True):
        expected = sum(a[j] * max(float(W[j] @ x + b[j]), 0.0) for j in range(6))
        assert float(value) == pytest.approx(float(expected), rel=1e-4 if dtype == torch.float32 else 1e-12)
    assert network(X).dtype == dtype


def test_blocks_do_not_change_the_answer():
    generator = torch.Generator().manual_seed(1)
    network = TwoLayerNetwork(*(torch.randn(*s, generator=generator) for s in [(4, 2), (4,), (4,)]))
    X = torch.randn(BLOCK + 5, 2, generator=generator)
    assert torch.allclose(network(X), network.features(X) @ network.a, atol=1e-5)


def test_symmetric_start_is_zero_and_has_the_stated_law():
    network = symmetric_init(4000, 20, torch.Generator().manual_seed(2))
    X = torch.randn(50, 20, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    assert network(X).abs().max() < 1e-11  # cancellation of 4,000 terms of order one
    assert torch.equal(network.W[:2000], network.W[2000:])
    assert torch.equal(network.a[:2000], -network.a[2000:])
    assert set(network.a.tolist()) == {-1.0, 1.0} and not network.b.any()
    # variance 1/d: 40,000 entries give it to 0.7 % (one sigma); 4 % leaves room
    assert float(network.W[:2000].var()) == pytest.approx(1 / 20, rel=0.04)
    assert abs(float(network.a[:2000].mean())) < 0.1  # four sigma of 2,000 signs


def test_bad_input_is_refused_with_a_sentence():
    generator = torch.Generator()
    with pytest.raises(BadParameter, match="width = 5 is odd"):
        symmetric_init(5, 3, generator)
    with pytest.raises(BadParameter, match="width = 0 is out of range"):
        symmetric_init(0, 3, generator)
    with pytest.raises(BadParameter, match="d = -3"):
        symmetric_init(4, -3, generator)
    with pytest.raises(BadParameter, match=r"a has shape \(3,\)"):
        TwoLayerNetwork(torch.ones(4, 2), torch.ones(3), torch.ones(4))
    with pytest.raises(BadParameter, match=r"shape \(n, 3\)"):
        symmetric_init(4, 3, generator)(torch.ones(5, 2, dtype=torch.float64))
