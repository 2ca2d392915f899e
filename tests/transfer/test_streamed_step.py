"""A step on blocks of source samples is the step on all of them, and every label is drawn and counted once."""

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning.measures import subspace_overlap
from beyond_kernel.foundations.learning.networks import symmetric_init
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer import streamed_step as module
from beyond_kernel.transfer.frozen_representation import pretrain
from beyond_kernel.transfer.streamed_step import pretrain_streamed, source_blocks

SOURCE = parse_target("(h2(z1) - h2(z2) + h2(z1)*h2(z2) + h3(z1))/2 + 1 + 2*z1", 6, 0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_the_step_on_blocks_is_that_of_autograd_on_all_samples_at_once(dtype):
    """-sqrt(d) times the gradient of (1/n) sum (f(x) - y + alpha + beta . x)^2 at the symmetric start; 4 blocks."""
    blocks = list(source_blocks(SOURCE, 350, 0.1, 3, block=100, dtype=dtype))
    assert [len(part) for part in blocks] == [100, 100, 100, 50]
    X, y = (torch.cat([getattr(part, name) for part in blocks]).double() for name in "Xy")
    labels = y - y.mean() - X @ (X.T @ y / 350)
    start = symmetric_init(20, 6, generator_for(3, "source weights", 6), dtype)
    W = start.W.double().requires_grad_()
    loss = ((X @ W.T).relu() @ start.a.double() - labels).square().mean()
    expected = -(6**0.5) * torch.autograd.grad(loss, W)[0]
    found = pretrain_streamed(SOURCE, 350, 20, 0.1, 3, block=100, dtype=dtype)
    assert found.W.dtype == dtype and found.b.any() and float(found.W.abs().max()) > 0.05
    assert torch.allclose(found.W.double(), expected, atol=1e-12 if dtype == torch.float64 else 1e-5)


def test_blocks_that_are_drawn_again_give_the_same_layer(monkeypatch):
    kept = pretrain_streamed(SOURCE, 300, 20, 0.1, 1, block=64)
    monkeypatch.setattr(module, "MOST_KEPT", 0)
    again = pretrain_streamed(SOURCE, 300, 20, 0.1, 1, block=64)
    assert torch.equal(kept.W, again.W) and torch.equal(kept.b, again.b)


def test_blocks_are_independent_samples_of_the_source():
    """No two rows are alike, labels are values plus or minus the noise, and another seed is another sample."""
    blocks = list(source_blocks(SOURCE, 250, 0.5, 0, block=100))
    X = torch.cat([part.X for part in blocks])
    assert len(X.unique(dim=0)) == 250
    for part in blocks:
        noise = (part.y - SOURCE(part.X.double())).abs()
        assert torch.allclose(noise, torch.full_like(noise, 0.5), atol=1e-4)
    assert not torch.equal(X[:100], next(source_blocks(SOURCE, 250, 0.5, 1, block=100)).X)


def test_the_layer_is_as_good_as_that_of_all_samples_at_once():
    """Overlap with the hidden plane from 64 d^2 samples of the chapter's source; .91 to .93 at twenty seeds of each."""
    source = parse_target("(h2(z1) - h2(z2) + h2(z1)*h2(z2) + h3(z1))/2", 16, 1)
    layers = pretrain_streamed(source, 64 * 256, 200, 0.1, 1), pretrain(source, 64 * 256, 200, 0.1, 1)
    first, second = (float(subspace_overlap(net.W.double(), source.directions).mean()) for net in layers)
    assert first > 0.85 and abs(first - second) < 0.05


def test_bad_input_is_refused_with_a_sentence():
    with pytest.raises(BadParameter, match="n = 0"):
        pretrain_streamed(SOURCE, 0, 20, 0.1, 0)
    with pytest.raises(BadParameter, match="block = 0"):
        next(source_blocks(SOURCE, 10, 0.1, 0, block=0))
    with pytest.raises(BadParameter, match="odd"):
        pretrain_streamed(SOURCE, 10, 21, 0.1, 0)
