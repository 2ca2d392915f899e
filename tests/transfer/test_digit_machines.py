"""Machines with several outputs agree with scikit-learn, with brute force and with automatic differentiation."""

import functools

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist
from sklearn.kernel_ridge import KernelRidge

from beyond_kernel.checks import BadParameter
from beyond_kernel.escaping_the_kernel.recursive_features import average_gradient_outer_product
from beyond_kernel.foundations.learning.samples import Sample
from beyond_kernel.kernel_regime.gaussian_kernel import gaussian_kernel
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.digit_machines import (
    PENALTIES,
    SCALES,
    choose,
    choose_by_leave_one_out,
    fit_machine,
    gaussian_family,
    gradient_outer_product,
    rooted_kernel,
    tuned_machine,
)


def drawn(n: int, d: int = 4, k: int = 3, seed: int = 0, dtype=torch.float64) -> Sample:
    generator = generator_for(seed, "rows", n)
    X = torch.randn(n, d, generator=generator, dtype=torch.float64)
    Y = torch.stack([X[:, 0], X[:, 0] * X[:, 1], X[:, 2].sin()], 1)[:, :k] + 0.3
    return Sample(X.to(dtype), (Y + 0.1 * torch.randn(n, k, generator=generator, dtype=torch.float64)).to(dtype))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 2e-4)])
def test_a_machine_is_the_kernel_ridge_of_scikit_learn(dtype, tolerance):
    """A kernel with 2 on its diagonal: the penalty is in units of its mean."""
    train, test = drawn(40, dtype=dtype), drawn(9, seed=1, dtype=dtype)
    kernel = lambda X, Z: 2 * gaussian_kernel(X, Z, 1.5)  # noqa: E731
    found = fit_machine(train, kernel, 0.01)(test.X)
    X, Z, Y = (part.double() for part in (train.X, test.X, train.y))
    ridge = KernelRidge(alpha=0.02, kernel="precomputed").fit(kernel(X, X).numpy(), (Y - Y.mean(0)).numpy())
    expected = ridge.predict(kernel(Z, X).numpy()) + Y.mean(0).numpy()
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, atol=tolerance)


def kernels() -> list:
    return [functools.partial(gaussian_kernel, length=length) for length in (0.5, 1.5, 6.0)]


def test_the_least_error_on_held_out_rows_is_chosen():
    kept, held = drawn(40), drawn(15, seed=2)
    found = choose(kept, held, kernels(), PENALTIES)
    losses = {
        (place, penalty): float((fit_machine(kept, kernel, penalty)(held.X) - held.y).square().sum(1).mean())
        for place, kernel in enumerate(kernels())
        for penalty in PENALTIES
    }
    assert (found.place, found.penalty) == min(losses, key=losses.get)
    assert found.loss == pytest.approx(min(losses.values()))


def test_left_out_errors_are_those_of_fits_without_the_row():
    """The mean of all labels is taken off, each row is left out by hand, and all three kernels are tried."""
    train = drawn(12)
    Y = train.y - train.y.mean(0)
    found, losses = choose_by_leave_one_out(train, kernels(), (0.01,)), []
    for kernel in kernels():
        gram, misses = kernel(train.X, train.X), []
        for i in range(12):
            rest = [j for j in range(12) if j != i]
            dual = torch.linalg.solve(gram[rest][:, rest] + 0.01 * torch.eye(11, dtype=gram.dtype), Y[rest])
            misses.append(float((gram[i, rest] @ dual - Y[i]).square().sum()))
        losses.append(np.mean(misses))
    assert found.place == int(np.argmin(losses)) and found.loss == pytest.approx(min(losses))


def test_what_is_chosen_on_a_fifth_is_fitted_to_all():
    train, asked = drawn(50), []

    def family(sample: Sample) -> list:
        asked.append(len(sample))
        return gaussian_family(sample)

    machine = tuned_machine(train, family, generator_for(0, "fifth"))
    assert asked == [40, 50] and len(machine.X) == 50


def test_lengths_are_in_units_of_the_median_distance():
    train = drawn(31)
    lengths = [kernel.keywords["length"] for kernel in gaussian_family(train)]
    np.testing.assert_allclose(lengths, np.array(SCALES) * np.median(pdist(train.X.numpy())), rtol=1e-2)
    stretched = gaussian_family(Sample(10 * train.X, train.y))
    assert stretched[0].keywords["length"] == pytest.approx(10 * lengths[0])


def test_a_root_is_another_name_for_a_metric():
    X, Z = drawn(6).X, drawn(5, seed=3).X
    root = torch.randn(4, 4, generator=generator_for(0, "root"), dtype=torch.float64)
    expected = gaussian_kernel(X, Z, 2.0, root @ root.T)
    torch.testing.assert_close(rooted_kernel(X, Z, length=2.0, root=root), expected)
    few = gaussian_family(drawn(6), root[:, :2])[1].keywords
    seen = drawn(6).X @ root[:, :2]
    torch.testing.assert_close(rooted_kernel(X, X, **few), gaussian_kernel(seen, seen, few["length"]))


def test_gradients_of_all_outputs_are_summed_and_averaged_over_points():
    train = drawn(20)
    machine = fit_machine(train, functools.partial(gaussian_kernel, length=1.2), 0.01)
    for points in (20, 7):
        jacobian = torch.stack(
            [torch.autograd.functional.jacobian(lambda x: machine(x[None])[0], row) for row in train.X[:points]]
        )
        expected = torch.einsum("ica,icb->ab", jacobian, jacobian) / points
        torch.testing.assert_close(gradient_outer_product(train.X, machine.dual, 1.2, points), expected)
    single = machine.dual[:, :1]
    known = average_gradient_outer_product(train.X, single[:, 0], 1.2, torch.eye(4, dtype=torch.float64))
    torch.testing.assert_close(gradient_outer_product(train.X, single, 1.2), known)


def test_bad_input_is_refused():
    train = drawn(10)
    with pytest.raises(BadParameter, match="penalty = 0"):
        fit_machine(train, gaussian_kernel, 0.0)
    with pytest.raises(BadParameter, match="has 9 rows: it must have 10"):
        fit_machine(Sample(train.X, train.y[:9]), gaussian_kernel, 0.1)
    with pytest.raises(BadParameter, match="must have inputs that differ"):
        gaussian_family(Sample(torch.ones(6, 2), torch.ones(6, 2)))
    with pytest.raises(BadParameter, match="points = 0"):
        gradient_outer_product(train.X, train.y, 1.0, 0)
