"""The kernel with the metric of one step: its metric, and what the narrow head had cost."""

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.metric_kernel import fit_metric_kernel
from beyond_kernel.feature_learning.one_step import one_step_features
from beyond_kernel.foundations.learning.samples import Problem, Sample, draw_problem
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for

TWO = "(h2(z1) - h2(z2) + h2(z1)*h2(z2) + h3(z1))/2"


def test_the_metric_is_that_of_the_neurons():
    problem = draw_problem(parse_target(TWO, 8, 0), 300, 0.1, 0, n_test=10)
    metric = fit_metric_kernel(problem, generator_for(0), width=60).kernel.keywords["metric"]
    W = one_step_features(problem.train, 60, generator_for(0))[1].W
    expected = sum(torch.outer(w, w) for w in W)
    assert torch.allclose(metric, 8 * expected / expected.diagonal().sum())


def test_labels_are_taken_as_they_are():
    """A linear target has no expected Hessian; the kernel learns it all the same, from the labels themselves."""
    problem = draw_problem(parse_target("z1", 6, 0), 400, 0.0, 0, n_test=1000)
    model = fit_metric_kernel(problem, generator_for(0), width=60)
    assert float((model(problem.test.X) - problem.test.truth).square().mean()) < 0.01


def test_dtype_follows_the_sample():
    train = draw_problem(parse_target(TWO, 6, 0), 100, 0.1, 0, n_test=10).train
    model = fit_metric_kernel(Problem(Sample(train.X.float(), train.y.float()), None), generator_for(0), width=20)
    assert model(train.X.float()).dtype == torch.float32


def test_bad_width_is_refused_with_a_sentence():
    problem = draw_problem(parse_target(TWO, 6, 0), 100, 0.1, 0, n_test=10)
    with pytest.raises(BadParameter, match="width = 7 is odd"):
        fit_metric_kernel(problem, generator_for(0), width=7)
