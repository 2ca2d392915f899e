"""A metric that tasks learn together, against gradients by autograd and a matrix square root by scipy."""

import functools

import numpy as np
import pytest
import scipy.linalg
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning.kernel_ridge import kernel_ridge
from beyond_kernel.foundations.learning.samples import Sample, draw_sample
from beyond_kernel.kernel_regime.gaussian_kernel import gaussian_kernel
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.many_tasks import recovery
from beyond_kernel.transfer.shared_metric import shared_metric
from beyond_kernel.transfer.sign_tasks import sign_tasks


def tasks_and_samples(family="balanced", d=6, r=2, tasks=3, n=40):
    known = sign_tasks(family, d, r, tasks, generator_for(0, "tasks"), seed=0)
    return known, [draw_sample(task, n, 0.0, generator_for(1, index)) for index, task in enumerate(known)]


def by_autograd(samples, metric):
    """Return the sum over tasks of the mean outer product of gradients of each task's predictor."""
    total, d = 0, samples[0].X.shape[1]
    for s in samples:
        kernel = functools.partial(gaussian_kernel, length=d**0.5, metric=metric)
        coefficients = kernel_ridge(Sample(s.X, s.y - s.y.mean()), kernel, len(s)).fit.coefficients
        X = s.X.clone().requires_grad_()
        apart = X[:, None] - s.X[None]
        values = torch.exp(-torch.einsum("ijk,kl,ijl->ij", apart, metric, apart) / (2 * d)) @ coefficients
        gradients = torch.autograd.grad(values.sum(), X)[0]
        total = total + gradients.T @ gradients / len(s)
    return total


def test_each_round_is_that_of_autograd():
    samples = tasks_and_samples()[1]
    first = by_autograd(samples, torch.eye(6, dtype=torch.float64))
    assert torch.allclose(shared_metric(samples, 1), first, rtol=1e-6, atol=1e-9)
    root = torch.tensor(np.real(scipy.linalg.sqrtm(first.numpy())))
    second = by_autograd(samples, root * 6 / root.trace())
    assert torch.allclose(shared_metric(samples, 2), second, rtol=1e-5, atol=1e-8)


def test_a_constant_in_the_labels_of_a_task_changes_nothing():
    samples = tasks_and_samples()[1]
    moved = [Sample(samples[0].X, samples[0].y + 4), *samples[1:]]
    assert torch.allclose(shared_metric(samples, 2), shared_metric(moved, 2), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("family", ["balanced", "even"])
def test_rounds_find_the_subspace_with_and_without_linear_parts(family):
    known, samples = tasks_and_samples(family, d=15, r=2, tasks=12, n=120)
    found = [recovery(shared_metric(samples, rounds), known[0].directions) for rounds in (1, 4)]
    assert found[1] > max(0.95, found[0])


def test_single_precision_stays_single():
    samples = [Sample(s.X.float(), s.y.float()) for s in tasks_and_samples()[1]]
    found = shared_metric(samples, 2)
    assert found.dtype == torch.float32
    wanted = shared_metric([Sample(s.X.double(), s.y.double()) for s in samples], 2)
    assert torch.allclose(found.double(), wanted, rtol=0.05, atol=0.02 * float(wanted.abs().max()))


@pytest.mark.parametrize("call", [lambda: shared_metric([]), lambda: shared_metric(tasks_and_samples()[1], 0)])
def test_bad_input_ends_in_one_sentence(call):
    with pytest.raises(BadParameter, match="must"):
        call()
