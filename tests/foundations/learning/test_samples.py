"""Samples have the labels they state, and the two samples of a problem are independent streams."""

from dataclasses import dataclass, replace

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.inputs.balls import BallIndicator
from beyond_kernel.foundations.inputs.laws import INPUT_LAWS, spiked_gaussian
from beyond_kernel.foundations.inputs.radial_inputs import RADIAL_LAWS
from beyond_kernel.foundations.learning.samples import draw_matched_sample, draw_problem, draw_sample, noisy
from beyond_kernel.foundations.learning.tasks import task_from_arrays
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


def test_train_and_test_are_different_draws_and_repeat_with_the_seed():
    one, same = draw_problem(TARGET, 50, 0.1, seed=3), draw_problem(TARGET, 50, 0.1, seed=3)
    other = draw_problem(TARGET, 50, 0.1, seed=4)
    assert torch.equal(one.test.X, same.test.X) and torch.equal(one.train.y, same.train.y)
    assert not torch.equal(one.train.X, other.train.X)
    firsts = {tuple(sample.X[0].tolist()) for sample in (one.train, one.test)}
    assert len(firsts) == 2


def test_size_of_the_test_sample_does_not_move_the_other():
    small, large = draw_problem(TARGET, 50, 0.1, 3, n_test=10), draw_problem(TARGET, 50, 0.1, 3, n_test=99)
    assert torch.equal(small.train.X, large.train.X) and torch.equal(small.train.y, large.train.y)


def test_all_sample_sizes_are_scored_on_the_same_points():
    few, many = draw_problem(TARGET, 5, 0.1, 3, n_test=40), draw_problem(TARGET, 500, 0.1, 3, n_test=40)
    assert torch.equal(few.test.X, many.test.X) and torch.equal(few.test.truth, many.test.truth)
    assert not torch.equal(few.train.X, many.train.X[:5])


def test_the_unit_of_risk_is_the_variance_under_the_law_that_is_drawn():
    """Exact where the task is made for the law; of the test points under another, where z1*z2 has d/(d + 2)."""
    target = parse_target("1 + z1*z2", 6, seed=1)
    assert draw_problem(target, 5, 0.1, 0, n_test=10).variance == target.variance == pytest.approx(1)
    assert draw_problem(target, 5, 0.1, 0, law="gaussian", n_test=10).variance == target.variance
    on_sphere = draw_problem(target, 5, 0.1, 0, law="sphere", n_test=40_000)
    assert on_sphere.variance == pytest.approx(6 / 8, rel=0.05)  # sixth of a per cent of an error, tails included: five
    ball = BallIndicator(20, 1.4, "two spheres")
    assert draw_problem(ball, 5, 0.0, 0, n_test=10).variance == ball.variance
    assert replace(on_sphere, task=None).variance == on_sphere.variance


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


def test_matched_samples_leave_the_other_coordinates_to_their_own_stream():
    """With another latent stream only z and the labels differ: what is left of x outside the span stays."""
    samples = [draw_matched_sample(TARGET, 50, 0.2, generator_for(s, "z"), generator_for(0, "rest")) for s in (0, 1)]
    frame = TARGET.frame
    first, second = (sample.X - sample.X @ frame @ frame.T for sample in samples)
    assert torch.allclose(first, second, atol=1e-12)
    assert not torch.allclose(samples[0].X @ frame, samples[1].X @ frame)


@dataclass
class FirstTimesLength:
    """A task of a reader's own: x_1 |x|."""

    dim: int = 3
    directions: None = None
    variance: float = 5.0  # E x_1^2 |x|^2 = d + 2 under Gaussian inputs

    def __call__(self, X):
        return X[:, 0] * X.norm(dim=1)


def doubled(n, d, generator, dtype):
    return 2 * torch.ones(n, d, dtype=dtype)


@pytest.mark.parametrize("law", [*INPUT_LAWS, *RADIAL_LAWS, doubled], ids=lambda law: getattr(law, "__name__", law))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_reader_s_own_task_meets_every_law(law, dtype):
    task = FirstTimesLength()
    problem = draw_problem(task, 30, 0.5, seed=0, law=law, n_test=10, dtype=dtype)
    assert problem.task is task and problem.test.reference is problem.test.truth
    for sample, size in ((problem.train, 30), (problem.test, 10)):
        assert sample.X.shape == (size, 3) and sample.X.dtype == sample.y.dtype == sample.truth.dtype == dtype
        assert torch.equal(sample.truth, sample.X[:, 0] * sample.X.norm(dim=1))
        # heavy tails reach values of 1e3 or more, and y - truth loses digits there
        gap = (sample.y - sample.truth).abs() - 0.5
        assert (gap.abs() <= 1e-6 + 8 * torch.finfo(dtype).eps * sample.truth.abs()).all()
    generator = generator_for(0, "train", 30, 3)
    draw = (INPUT_LAWS | RADIAL_LAWS)[law] if isinstance(law, str) else law
    assert torch.equal(problem.train.X, draw(30, 3, generator, dtype))


def test_a_sampler_with_options_is_a_law_and_a_bad_one_is_told():
    def spiked(n, d, generator, dtype):
        return spiked_gaussian(n, d, generator, dtype, direction=torch.eye(d, dtype=dtype)[0], strength=8.0)

    X = draw_sample(FirstTimesLength(), 5000, 0.0, generator_for(0), law=spiked).X
    assert float(X[:, 0].var()) == pytest.approx(9, rel=0.1)  # five standard errors of sqrt(2 / 5000)
    with pytest.raises(BadParameter, match=r"did not return a tensor of shape \(5, 3\)"):
        draw_sample(FirstTimesLength(), 5, 0.0, generator_for(0), law=lambda n, d, generator, dtype: torch.ones(d, n))


ROWS = task_from_arrays(torch.arange(60.0)[:, None] + torch.tensor([0.0, 0.25]), torch.arange(60.0) % 7)


def test_arrays_fall_into_two_disjoint_parts_whose_truth_nobody_knows():
    problem = draw_problem(ROWS, 40, 0.0, seed=0, n_test=20)
    parts = [problem.train, problem.test]
    assert [len(part) for part in parts] == [40, 20]
    places = torch.cat([part.X[:, 0] for part in parts]).long()
    assert sorted(places.tolist()) == list(range(60)) and places.tolist() != list(range(60))
    for part in parts:
        rows = part.X[:, 0].long()
        assert torch.equal(part.X, ROWS.X[rows]) and torch.equal(part.y, ROWS.y[rows])
        assert part.truth is None and part.reference is part.y
    assert torch.equal(problem.train.X, draw_problem(ROWS, 40, 0.0, 0, n_test=20).train.X)
    assert not torch.equal(problem.train.X, draw_problem(ROWS, 40, 0.0, 1, n_test=20).train.X)


def test_noise_on_arrays_spares_the_test_labels_and_points_are_the_same_for_every_n():
    few, many = (draw_problem(ROWS, n, 0.5, seed=0, n_test=10) for n in (5, 30))
    for problem in (few, many):
        assert torch.equal(problem.test.y, ROWS.y[problem.test.X[:, 0].long()])
        assert ((problem.train.y - ROWS.y[problem.train.X[:, 0].long()]).abs() == 0.5).all()
    assert torch.equal(few.test.X, many.test.X)


def test_more_points_than_there_are_is_told():
    with pytest.raises(BadParameter, match="points are asked for, and the arrays hold 60: give a smaller n"):
        draw_problem(ROWS, 51, 0.0, 0, n_test=10)
    with pytest.raises(BadParameter, match="61 points are asked for"):
        draw_sample(ROWS, 61, 0.0, generator_for(0))
    assert len(draw_sample(ROWS, 60, 0.0, generator_for(0))) == 60


def test_bad_input_is_refused_with_a_sentence():
    with pytest.raises(BadParameter, match="n = 0"):
        draw_problem(TARGET, 0, 0.1, 3)
    with pytest.raises(BadParameter, match="noise = -1"):
        draw_sample(TARGET, 5, -1, generator_for(0))
    with pytest.raises(BadParameter, match="law = 'cauchy'"):
        draw_sample(TARGET, 5, 0, generator_for(0), law="cauchy")
    with pytest.raises(TypeError, match="has no dim, directions, variance"):
        draw_problem(torch.sin, 5, 0.0, 0)
    with pytest.raises(BadParameter, match="noise = -1"):
        draw_problem(ROWS, 5, -1, 0, n_test=5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_label_noise_is_plus_or_minus_its_size(dtype):
    values = torch.randn(4000, generator=generator_for(0), dtype=dtype)
    labels = noisy(values, 0.5, generator_for(1))
    noise = labels - values
    assert labels.dtype == dtype
    torch.testing.assert_close(noise.abs(), torch.full_like(noise, 0.5), rtol=0, atol=1e-5)  # rounding in float32
    assert abs(float(noise.mean())) <= 0.5 * 5 / 4000**0.5  # five standard errors
    assert torch.equal(labels, noisy(values, 0.5, generator_for(1)))
    assert torch.equal(noisy(values, 0, None), values)
    with pytest.raises(BadParameter, match="noise = -1"):
        noisy(values, -1, generator_for(1))
    with pytest.raises(TypeError, match="generator"):
        noisy(values, 0.1, None)


def test_a_ball_is_drawn_under_its_own_law():
    ball = BallIndicator(20, 1.4, "two spheres")
    sample = draw_sample(ball, 4000, 0.0, generator_for(0))
    assert float(sample.truth.var()) == pytest.approx(ball.variance, abs=5 * 0.5 / 4000**0.5)  # five errors
    assert torch.equal(sample.X, draw_sample(ball, 4000, 0.0, generator_for(0), law="two spheres").X)
    with pytest.raises(BadParameter, match="is not the law 'two spheres'"):
        draw_problem(ball, 10, 0.0, 0, law="gaussian")
