"""What two test modules share: a target of two directions, and the overlap that one step reaches on a target."""

from beyond_kernel.feature_learning.one_step import one_step_features
from beyond_kernel.foundations.learning.measures import subspace_overlap
from beyond_kernel.foundations.learning.samples import draw_sample
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for

TWO = "(h2(z1) - h2(z2) + h2(z1)*h2(z2) + h3(z1))/2"


def overlap(text: str, d: int, ratio: float, seed: int, **pieces) -> float:
    target = parse_target(text, d, seed)
    sample = draw_sample(target, int(ratio * d * d), 0.0, generator_for(seed, "train"))
    _, network = one_step_features(sample, 300, generator_for(seed, "net"), **pieces)
    return float(subspace_overlap(network.W, target.directions).mean())
