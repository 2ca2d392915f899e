"""A fifth held out: nobody stands in both parts, each sample has one chance in five, labels stay with their inputs."""

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning.held_out import split_fifth
from beyond_kernel.foundations.learning.samples import Sample
from beyond_kernel.random_streams import generator_for


def numbered(n: int, dtype: torch.dtype = torch.float64) -> Sample:
    X = torch.arange(n, dtype=dtype)[:, None].repeat(1, 2)
    return Sample(X, 10 * X[:, 0], -X[:, 0])


@pytest.mark.parametrize(("n", "held"), [(5, 1), (6, 2), (10, 2), (99, 20), (100, 20), (101, 21)])
def test_a_fifth_rounded_up_is_held_out_and_nothing_is_lost(n, held):
    parts = split_fifth(numbered(n), generator_for(0, "split"))
    assert [len(part) for part in parts] == [n - held, held]
    assert sorted(torch.cat([part.X[:, 0] for part in parts]).tolist()) == list(range(n))
    for part in parts:
        assert torch.equal(part.y, 10 * part.X[:, 1]) and part.truth is None


def test_every_sample_has_the_chance_of_one_in_five():
    """5,000 splits of 20: each is held out 1,000 times, give or take 28; the furthest of 20 within 120."""
    generator, counts = generator_for(1, "split"), torch.zeros(20)
    for _ in range(5000):
        counts[split_fifth(numbered(20), generator)[1].X[:, 0].long()] += 1
    assert float((counts - 1000).abs().max()) < 120


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_precision_is_that_of_the_sample_and_the_seed_fixes_the_split(dtype):
    first, again, other = (split_fifth(numbered(30, dtype), generator_for(seed, "split"))[1] for seed in (0, 0, 1))
    assert first.X.dtype == first.y.dtype == dtype
    assert torch.equal(first.y, again.y) and not torch.equal(first.y, other.y)


def test_too_few_samples_are_a_sentence():
    with pytest.raises(BadParameter, match="the sample has 4 points: a fifth of it is held out, so at least 5"):
        split_fifth(numbered(4), generator_for(0))
