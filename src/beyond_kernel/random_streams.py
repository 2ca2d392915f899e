"""Streams of random numbers by seed and label, so that a change in one place shifts no draw in another."""

import hashlib

import torch

from beyond_kernel.checks import BadParameter, whole_number


def generator_for(seed: int, *labels: int | float | str) -> torch.Generator:
    """Return a CPU generator whose state depends on the seed and the labels alone.

    ``generator_for(0, "data", 3)`` and ``generator_for(0, "test", 3)`` are separate streams:
    a larger sample or one more neuron in one place does not shift the draws in another. The seed and the
    labels are hashed (SHA-256, with their types and lengths) to the 32 bits that torch's CPU generator takes:
    two different lists of labels meet with probability 2^-32.

    Args:
        seed: a whole number of at least 0.
        labels: whole numbers, floats or strings; 1, 1.0 and "1" are three different labels.

    Raises:
        BadParameter: if ``seed`` or a label is of another kind.

    >>> generator_for(0, "data", 3).initial_seed() == generator_for(0, "data", 3).initial_seed()
    True
    >>> generator_for(0, "data", 3).initial_seed() == generator_for(0, "test", 3).initial_seed()
    False
    """
    whole_number("seed", seed, least=0)
    digest = hashlib.sha256("".join(_encoded(item) for item in (seed, *labels)).encode()).digest()
    return torch.Generator(device="cpu").manual_seed(int.from_bytes(digest[:4], "big"))


def _encoded(label: int | float | str) -> str:
    if isinstance(label, bool) or not isinstance(label, int | float | str):
        raise BadParameter(f"label {label!r} is not accepted: labels are whole numbers, floats or strings.")
    if isinstance(label, str):
        return f"s{len(label)}:{label};"
    return f"f{float(label).hex()};" if isinstance(label, float) else f"i{int(label)};"
