"""Spectral estimates against a sum over samples, integrals and invariances."""

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from beyond_kernel.checks import BadParameter
from beyond_kernel.feature_learning.label_spectrum import (
    TRANSFORMATIONS,
    label_spectrum,
    label_weights,
    mean_direction,
    spectral_direction,
)
from beyond_kernel.feature_learning.scaled_link import scaled_link

F64 = torch.float64


def sample(n, d, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=F64)


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_the_spectrum_is_that_of_the_sum_over_samples(dtype):
    X = sample(40, 5)
    t = X[:, 0].square() + 3
    centred = t.numpy() - t.numpy().mean()
    moment = sum(w * (np.outer(x, x) - np.eye(5)) for w, x in zip(centred, X.numpy(), strict=True)) / 40
    exact = np.linalg.eigvalsh(moment)
    values, vectors = label_spectrum(X.to(dtype), t.to(dtype))
    assert values.dtype == vectors.dtype == dtype
    tolerance = 1e-4 if dtype == torch.float32 else 1e-12
    np.testing.assert_allclose(values, exact[np.argsort(-abs(exact))], atol=tolerance)
    np.testing.assert_allclose(moment @ vectors.numpy(), vectors.numpy() * values.numpy(), atol=tolerance)


def test_the_leading_eigenvalue_may_be_negative():
    """With T(y) = -z^2 the matrix has the mean -2 u u'."""
    X = sample(4000, 6)
    values, vectors = label_spectrum(X, -X[:, 2].square())
    assert float(values[0]) == pytest.approx(-2, abs=0.5)
    assert abs(float(spectral_direction(X, -X[:, 2].square())[2])) > 0.95
    torch.testing.assert_close(vectors[:, 0], spectral_direction(X, -X[:, 2].square()))


@pytest.mark.parametrize("name", ["bell", "clipped square"])
def test_the_leading_eigenvalue_is_the_correlation_with_the_second_polynomial(name):
    """E[T(y) (z^2 - 1)] by scipy; the sample leaves 1 / sqrt(n) of it."""
    f = scaled_link("he3")

    def weight(z):
        return float(label_weights("he3", f(torch.tensor([z], dtype=F64)), name)) * (z * z - 1) * np.exp(-z * z / 2)

    exact = quad(weight, -10, 10, limit=400)[0] / np.sqrt(2 * np.pi)
    X = sample(200_000, 3)
    assert float(label_spectrum(X, label_weights("he3", f(X[:, 0]), name))[0][0]) == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_the_mean_by_hand(dtype):
    X, t = torch.tensor([[1.0, 0], [0, 2], [3, 1]], dtype=dtype), torch.tensor([1.0, -1, 1], dtype=dtype)
    torch.testing.assert_close(mean_direction(X, t), torch.tensor([4.0, -1], dtype=dtype) / 17**0.5)


def test_the_overlap_of_the_mean_of_signs_is_the_closed_form():
    """For h3, E[sign(y) z] = 4 phi(sqrt 3) - 2 phi(0) by hand; the vector in d dimensions has the overlap derived."""
    g = (4 * np.exp(-1.5) - 2) / np.sqrt(2 * np.pi)
    n, d = 4000, 400
    seen = []
    for seed in range(5):
        X = sample(n, d, seed)
        seen.append(float(mean_direction(X, scaled_link("he3")(X[:, 0]).sign())[0]))
    assert np.mean(seen) == pytest.approx(g / np.sqrt(g * g + d / n), abs=0.02)  # one has a deviation of about 0.02


def test_neither_a_constant_nor_a_rotation_changes_the_direction():
    X = sample(300, 8)
    t = label_weights("he3", scaled_link("he3")(X[:, 0]), "bell")
    Q = torch.linalg.qr(sample(8, 8, 1))[0]
    v = spectral_direction(X, t)
    assert abs(float(v @ spectral_direction(X, t + 100))) == pytest.approx(1, abs=1e-9)
    assert abs(float((v @ Q) @ spectral_direction(X @ Q, t))) == pytest.approx(1, abs=1e-9)


def test_the_conditional_mean_is_the_mean_of_h_2_among_equal_labels():
    """In bins of labels of a large sample; the text has another scale than the labels."""
    z = sample(1_000_000, 1)[:, 0]
    y = scaled_link("he3")(z)
    weights = label_weights("5*He3(z1) + 2", y, "conditional mean")
    h2 = (z * z - 1) / 2**0.5
    edges = y.quantile(torch.linspace(0, 1, 21, dtype=F64)[1:-1]) if len(y) < 16e6 else None
    bins = torch.bucketize(y, edges)
    for k in range(20):
        inside = bins == k
        assert float(weights[inside].mean()) == pytest.approx(float(h2[inside].mean()), abs=0.02)


def test_the_named_transformations_are_what_they_say():
    y = torch.tensor([-3.0, 0.5, 1.0], dtype=F64)
    assert label_weights("he3", y, "label itself").tolist() == y.tolist()
    assert label_weights("he3", y, "clipped square").tolist() == [4.0, 0.25, 1.0]
    np.testing.assert_allclose(label_weights("he3", y, "bell"), np.exp([-9, -0.25, -1]))
    assert set(TRANSFORMATIONS) == {"label itself", "clipped square", "bell"}


def test_an_unknown_transformation_is_named_with_the_nearest():
    with pytest.raises(BadParameter, match="did you mean 'bell'"):
        label_weights("he3", torch.ones(3, dtype=F64), "bel")
