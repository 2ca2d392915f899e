"""The benchmarks of the search for one direction: all peers take the same steps, and what does not is seen."""

import pytest
import search_workloads
import torch
from chapter_cells import ROOT
from search_workloads import (
    ALONE,
    COMPILED,
    COMPILED_TOGETHER,
    LOOP,
    START,
    TOGETHER,
    Sizes,
    by_autograd,
    chained,
    chance_of_the_chain,
    compiled,
    gaps_in_law,
    gaps_in_paths,
    loss_of_many,
    loss_of_one,
    per,
    simulation,
    started,
    torch_walks,
    walked,
)

PEERS = [LOOP, COMPILED, TOGETHER, COMPILED_TOGETHER]
MIDDLE = Sizes(
    replicas=64, chain=10, loop=7, together=5, dims=(100,), far=50, law=4000, sample=256, compared=100, backend="eager"
)


def test_the_page_holds_the_record_and_every_ratio_to_reach():
    text = (ROOT / "book/benchmarks.md").read_text("utf-8")
    record = text.split("<!-- measured: search cpu -->")[1].split("<!-- end: search cpu -->")[0]
    for words in ("load average", *PEERS, "itself at d=100", "| 500 |", "| 90 |", "| 0.91 |", "d=1,000,000"):
        assert words in record, words
    assert "<!-- measured: search cuda -->" in text and "<!-- end: search cuda -->" in text


def test_losses_are_those_of_the_second_hermite_polynomial():
    draws = torch.Generator().manual_seed(2)
    W, X = (torch.randn(6, 4, generator=draws, dtype=torch.float64) for _ in range(2))
    found, label = ((z**2 - 1) / 2**0.5 for z in ((W * X).sum(1), X[:, 0]))
    by_hand = (found - label).square() / 2
    one_by_one = torch.stack([loss_of_one(w, x) for w, x in zip(W, X, strict=True)])
    assert torch.allclose(one_by_one, by_hand, rtol=1e-12)
    assert float(loss_of_many(W, X)) == pytest.approx(float(by_hand.sum()), rel=1e-12)


def test_every_peer_takes_the_paths_of_the_simulation_and_has_the_law_of_the_chain():
    walks = torch_walks(100, MIDDLE, "cpu")
    paths = gaps_in_paths(walks, 100, MIDDLE, "cpu")
    assert list(paths) == PEERS and max(paths.values()) < 1e-4
    together = {name: walk for name, walk in walks.items() if name not in ALONE}
    assert max(gaps_in_law(together, 100, MIDDLE, "cpu").values()) < 1


@pytest.mark.parametrize("loss", [loss_of_many, lambda W, X: -loss_of_many(W, X) / 4])
def test_other_steps_are_seen_by_both_comparisons(loss):
    """Twice the step size, and a step uphill."""
    wrong = {TOGETHER: by_autograd(loss, 50 if loss is loss_of_many else 100)}
    assert gaps_in_paths(wrong, 100, MIDDLE, "cpu")[TOGETHER] > 0.05
    assert gaps_in_law(wrong, 100, MIDDLE, "cpu")[TOGETHER] > 1


def test_seconds_are_those_of_one_step_of_one_replica(monkeypatch):
    assert per(50, lambda: (2.0, torch.ones(1)))()[0] == 0.04
    monkeypatch.setattr(search_workloads, "timed", lambda work, probe, device: lambda: (1.0, probe(work())))
    assert chained(100, MIDDLE)()[0] == 1 / (64 * 10) and chance_of_the_chain(100, MIDDLE)()[0] == 1 / (64 * 1024)
    ours = simulation(100, MIDDLE, "cpu")
    assert ours.ours()[0] == ours.floor()[0] == 1 / (64 * 5)
    calls = []

    def walk(start, inputs):
        calls.append((start.shape, sum(1 for _ in inputs)))
        return start

    for name, count in ((LOOP, 7), (TOGETHER, 64 * 5)):
        seconds, answer = walked(name, walk, 20, MIDDLE, "cpu")()
        assert seconds == 1 / count and (answer == START).all()
    assert calls == [((20,), 7), ((64, 20), 5)]
    assert walked(COMPILED, "no compiler", 20, MIDDLE, "cpu") == "no compiler"
    assert torch.allclose(started((3, 8), "cpu").norm(dim=1), torch.ones(3))


def test_a_step_that_does_not_compile_says_so():
    def broken(graph, inputs):
        raise RuntimeError("no compiler")

    assert compiled(loss_of_one, 5, (5,), broken, "cpu") == "does not compile here: BackendCompilerFailed"
