"""Samples have the labels they state, and the three samples of a problem are independent streams."""

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning.samples import draw_matched_sample, draw_problem, draw_sample
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for

TARGET = parse_target("z1 + z1*z2", 6, seed=1)


def test_labels_are_values_plus_or_minus_the_noise():
    sample = draw_sample(TARGET, 500, 0.3, generator_for(0, "x"))
    assert torch.allclose(sample.truth, TARGET(sample.X))
    noise = sample.y - sample.truth
    assert torch.allclose(noise.abs(), torch.full_like(noise, 0.3))
    assert 180 < int((noise > 0).sum()) < 320  # 250 +- 11; six sigma
    assert len(sample) == 500


def test_train_validation_and_test_are_different_draws_and_repeat_with_the_seed():
    one, same = draw_problem(TARGET, 50, 0.1, seed=3), draw_problem(TARGET, 50, 0.1, seed=3)
    other = draw_problem(TARGET, 50, 0.1, seed=4)
    assert torch.equal(one.test.X, same.test.X) and torch.equal(one.train.y, same.train.y)
    assert not torch.equal(one.train.X, other.train.X)
    firsts = {tuple(sample.X[0].tolist()) for sample in (one.train, one.validation, one.test)}
    assert len(firsts) == 3


def test_size_of_the_test_sample_does_not_move_the_others():
    small, large = draw_problem(TARGET, 50, 0.1, 3, n_test=10), draw_problem(TARGET, 50, 0.1, 3, n_test=99)
    assert torch.equal(small.train.X, large.train.X) and torch.equal(small.validation.y, large.validation.y)


@pytest.mark.parametrize("law", ["sphere", "hypercube"])
def test_other_input_laws(law):
    sample = draw_sample(TARGET, 20, 0.0, generator_for(0, "x"), law=law)
    assert torch.allclose(sample.X.square().sum(1), torch.full((20,), 6.0, dtype=torch.float64))


def test_matched_samples_share_what_matters_in_every_dimension_and_are_standard_gaussian():
    samples = {}
    for d in (6, 11):
        target = parse_target("z1 + z1*z2", d, seed=d)
        latent, rest = generator_for(0, "latent"), generator_for(0, d)
        samples[d] = target, draw_matched_sample(target, 20_000, 0.2, latent, rest)
    first, second = samples[6][1], samples[11][1]
    assert torch.allclose(first.y, second.y) and torch.allclose(first.truth, second.truth)
    target, sample = samples[11]
    covariance = sample.X.T @ sample.X / len(sample)
    # an entry has standard deviation 0.01 on the diagonal and 0.007 off it; 66 of them within five
    assert (covariance - torch.eye(11, dtype=torch.float64)).abs().max() < 0.05
    assert torch.allclose(sample.truth, target(sample.X))


def test_bad_input_is_refused_with_a_sentence():
    with pytest.raises(BadParameter, match="n = 0"):
        draw_problem(TARGET, 0, 0.1, 3)
    with pytest.raises(BadParameter, match="noise = -1"):
        draw_sample(TARGET, 5, -1, generator_for(0))
    with pytest.raises(BadParameter, match="law = 'cauchy'"):
        draw_sample(TARGET, 5, 0, generator_for(0), law="cauchy")
