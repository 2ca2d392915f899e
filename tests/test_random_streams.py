"""The streams against their definition: a hash of seed and labels."""

import hashlib

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.random_streams import generator_for


def test_a_stream_is_the_hash_of_its_labels():
    text = "i3;s4:data;i7;f0x1.8000000000000p-1;"
    expected = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    assert generator_for(3, "data", 7, 0.75).initial_seed() == expected


def test_streams_do_not_meet():
    labels = [
        (),
        (0,),
        ("0",),
        (0.0,),
        (1, 23),
        (12, 3),
        ("ab", "c"),
        ("a", "bc"),
        ("abc",),
        ("s1:a;",),
        ("a",),
    ]
    labels += [("width", i) for i in range(300)]
    seeds = {generator_for(seed, *label).initial_seed() for seed in (0, 1, 10) for label in labels}
    assert len(seeds) == 3 * len(labels)  # 933 numbers of 32 bits, fixed by the hash: no two are equal


def test_two_streams_are_uncorrelated():
    first, second = (torch.randn(20_000, generator=generator_for(0, name)) for name in ("data", "weights"))
    assert abs(float((first * second).mean())) <= 5 / 20_000**0.5  # five standard errors of a mean of variance one


@pytest.mark.parametrize("label", [True, None, (1, 2), torch.tensor(1)])
def test_other_labels_are_refused(label):
    with pytest.raises(BadParameter, match="label"):
        generator_for(0, label)


@pytest.mark.parametrize("seed", [-1, 1.0, "0", None, True])
def test_other_seeds_are_refused(seed):
    with pytest.raises(BadParameter, match="seed"):
        generator_for(seed)
