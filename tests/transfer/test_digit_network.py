"""The network is trained as torch's own optimiser trains one, on the rows that it says."""

from dataclasses import replace

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning.samples import Sample
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer import digit_network
from beyond_kernel.transfer.digit_network import fit_network, steps_for, train_networks
from beyond_kernel.transfer.real_digits import ClassProblem


def drawn(n: int) -> Sample:
    X = torch.randn(n, 5, generator=generator_for(0, "inputs"), dtype=torch.float64) + 1
    return Sample(X, torch.nn.functional.one_hot((X[:, 0] > 1).long() + (X[:, 1] > 1), 3).double())


@pytest.mark.parametrize("place", [0, 1])
def test_it_is_what_adamw_of_torch_makes_by_autograd(monkeypatch, place):
    """Each of two side by side, from the same start and batches, in double precision, biases decayed as weights are."""
    monkeypatch.setattr(digit_network, "PRECISION", torch.float64)
    monkeypatch.setattr(digit_network, "BATCH", 8)
    train, decays = drawn(20), [0.5, 3.0]
    found = train_networks(train, 0.02, decays, 6, generator_for(3, "net"), steps=12)[place]
    X, Y = train.X - train.X.mean(0), train.y - train.y.mean(0)
    stream = generator_for(3, "net")
    W = torch.randn(6, 5, generator=stream, dtype=torch.float64) * 0.05 * (2 / 5) ** 0.5
    A = torch.randn(3, 6, generator=stream, dtype=torch.float64) / 6**0.5
    weights = [part.requires_grad_() for part in (W, A, torch.zeros(6).double(), torch.zeros(3).double())]
    adam = torch.optim.AdamW(weights, lr=0.02, weight_decay=decays[place])
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


def test_the_decay_is_chosen_on_a_fifth_and_the_last_training_has_all_rows(monkeypatch):
    """The network of least error on the fifth wins, wherever it stands among the candidates."""
    sample, train = drawn(100), digit_network.train_networks
    for wanted in digit_network.DECAYS:
        asked = []

        def watched(given, rate, decays, *rest, asked=asked, wanted=wanted):
            asked.append((len(given), list(decays)))
            pairs = zip(train(given, rate, decays, *rest), decays, strict=True)
            return [net if decay == wanted else replace(net, offset=net.offset + 9) for net, decay in pairs]

        monkeypatch.setattr(digit_network, "train_networks", watched)
        network = fit_network(ClassProblem(sample, sample), generator_for(0, "fit"), width=10)
        assert asked == [(80, list(digit_network.DECAYS)), (100, [wanted])]
        assert network.W.shape == (10, 5) and network.W.dtype == torch.float64


def test_more_rows_are_seen_in_more_steps():
    assert [steps_for(n) for n in (10, 800, 801)] == [250, 250, 600]
    with pytest.raises(BadParameter, match="width = 0"):
        fit_network(ClassProblem(drawn(10), drawn(10)), generator_for(0, "fit"), width=0)
    for rate, decays, match in ((0.0, [1.0], "rate = 0"), (0.1, [], "decays"), (0.1, [-1.0], r"decays\[0\] = -1")):
        with pytest.raises(BadParameter, match=match):
            train_networks(drawn(10), rate, decays, 3, generator_for(0, "fit"))
