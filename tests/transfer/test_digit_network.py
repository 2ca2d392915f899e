"""The network is trained as torch's own optimiser trains one, on the rows that it says."""

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning.samples import Sample
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer import digit_network
from beyond_kernel.transfer.digit_network import fit_network, steps_for, train_network
from beyond_kernel.transfer.real_digits import ClassProblem


def drawn(n: int) -> Sample:
    X = torch.randn(n, 5, generator=generator_for(0, "inputs"), dtype=torch.float64) + 1
    return Sample(X, torch.nn.functional.one_hot((X[:, 0] > 1).long() + (X[:, 1] > 1), 3).double())


def test_it_is_what_adamw_of_torch_makes_by_autograd(monkeypatch):
    """From the same start and on the same batches, in double precision, biases decayed as weights are."""
    monkeypatch.setattr(digit_network, "PRECISION", torch.float64)
    monkeypatch.setattr(digit_network, "BATCH", 8)
    train = drawn(20)
    found = train_network(train, 0.02, 3.0, 6, generator_for(3, "net"), steps=12)
    X, Y = train.X - train.X.mean(0), train.y - train.y.mean(0)
    stream = generator_for(3, "net")
    W = torch.randn(6, 5, generator=stream, dtype=torch.float64) * 0.05 * (2 / 5) ** 0.5
    A = torch.randn(3, 6, generator=stream, dtype=torch.float64) / 6**0.5
    weights = [part.requires_grad_() for part in (W, A, torch.zeros(6).double(), torch.zeros(3).double())]
    adam = torch.optim.AdamW(weights, lr=0.02, weight_decay=3.0)
    fall = torch.optim.lr_scheduler.LambdaLR(adam, lambda step: 1 - step / 12)
    rows = torch.cat([torch.randperm(20, generator=stream) for _ in range(5)]).split(8)
    for batch in rows[:12]:
        adam.zero_grad()
        outputs = (X[batch] @ weights[0].T + weights[2]).relu() @ weights[1].T + weights[3]
        (outputs - Y[batch]).square().sum(1).mean().backward()
        adam.step()
        fall.step()
    torch.testing.assert_close([found.W, found.A, found.b], [part.detach() for part in weights[:3]])
    torch.testing.assert_close(found.offset, train.y.mean(0) + weights[3].detach())
    with torch.no_grad():
        expected = (X @ weights[0].T + weights[2]).relu() @ weights[1].T + weights[3] + train.y.mean(0)
    torch.testing.assert_close(found(train.X), expected)


def test_rate_and_decay_are_chosen_on_a_fifth_and_the_last_training_has_all_rows(monkeypatch):
    asked, train = [], digit_network.train_network

    def watched(sample, rate, decay, *rest):
        asked.append((len(sample), rate, decay))
        return train(sample, rate, decay, *rest)

    monkeypatch.setattr(digit_network, "train_network", watched)
    sample = drawn(100)
    network = fit_network(ClassProblem(sample, sample), generator_for(0, "fit"), width=10)
    assert [n for n, *_ in asked] == [80] * 4 + [100] and len(set(asked[:4])) == 4
    assert network.W.shape == (10, 5) and network.W.dtype == torch.float64


def test_more_rows_are_seen_in_more_steps():
    assert [steps_for(n) for n in (10, 800, 801)] == [250, 250, 600]
    with pytest.raises(BadParameter, match="width = 0"):
        fit_network(ClassProblem(drawn(10), drawn(10)), generator_for(0, "fit"), width=0)
