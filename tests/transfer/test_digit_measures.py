"""Errors, shares and roots are those of other libraries."""

import numpy as np
import pytest
import torch
from scipy.linalg import fractional_matrix_power
from sklearn.metrics import accuracy_score, r2_score

from beyond_kernel.checks import BadParameter
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.digit_measures import accuracy, class_contrast, class_error, root_of, tile_root, tile_shares


def test_the_error_is_that_of_each_class_over_the_spread_of_the_labels():
    """One less the coefficient of determination, weighted by the spread of each class, as scikit-learn has it."""
    generator = generator_for(0, "outputs")
    labels = torch.nn.functional.one_hot(torch.randint(0, 4, (50,), generator=generator), 4).double()
    outputs = labels + torch.randn(50, 4, generator=generator, dtype=torch.float64)
    expected = 1 - r2_score(labels.numpy(), outputs.numpy(), multioutput="variance_weighted")
    assert class_error(outputs, labels) == pytest.approx(expected)
    assert class_error(labels.mean(0).expand(50, 4), labels) == pytest.approx(1.0)
    assert accuracy(outputs, labels) == pytest.approx(accuracy_score(labels.argmax(1), outputs.argmax(1)))


def test_shares_are_those_of_the_trace():
    A = torch.randn(6, 6, generator=generator_for(0, "metric"), dtype=torch.float64)
    metric = A @ A.T
    np.testing.assert_allclose(
        tile_shares(metric, 3), [float(metric[t : t + 2, t : t + 2].trace() / metric.trace()) for t in (0, 2, 4)]
    )
    means = [float(metric.diagonal()[part].mean()) for part in (slice(0, 3), slice(3, 6))]
    expected = np.repeat(means, 3)
    for power, wanted in ((0.5, expected), (1.0, expected**2)):
        root = tile_root(metric, 2, power)
        np.testing.assert_allclose((root @ root.T).numpy(), np.diag(wanted))


@pytest.mark.parametrize("power", [0.5, 0.25])
def test_a_root_is_the_power_of_scipy_with_trace_d(power):
    A = torch.randn(5, 5, generator=generator_for(1, "metric"), dtype=torch.float64)
    found, expected = root_of(A @ A.T, power).numpy(), fractional_matrix_power((A @ A.T).numpy(), power)
    np.testing.assert_allclose(found, expected * np.sqrt(5 / np.trace(expected @ expected)), atol=1e-8)


def test_the_contrast_of_classes_is_that_of_a_loop():
    generator = generator_for(2, "classes")
    X = torch.randn(12, 3, generator=generator, dtype=torch.float64)
    labels = torch.nn.functional.one_hot(torch.arange(12) % 3, 3).double()
    pairs = [(i, j) for i in range(12) for j in range(i)]
    apart = {pair: float((X[pair[0]] - X[pair[1]]).square().sum()) for pair in pairs}
    same = [apart[i, j] for i, j in pairs if i % 3 == j % 3]
    other = [apart[i, j] for i, j in pairs if i % 3 != j % 3]
    expected = (np.mean(other) - np.mean(same)) / np.std(other, ddof=1)
    assert class_contrast(X, labels) == pytest.approx(expected)


def test_bad_input_is_refused():
    with pytest.raises(BadParameter, match="all the same"):
        class_error(torch.ones(3, 2), torch.ones(3, 2))
    with pytest.raises(BadParameter, match="4 tiles"):
        tile_shares(torch.eye(6), 4)
    with pytest.raises(BadParameter, match="above 0"):
        tile_shares(torch.zeros(6, 6), 2)
    with pytest.raises(BadParameter, match="not be 0"):
        root_of(torch.zeros(2, 2))
