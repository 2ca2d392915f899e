"""The predicted error is that of rows whose eigenvectors were rotated at random, and of a law in the limit."""

import numpy as np
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge

from beyond_kernel.checks import BadParameter
from beyond_kernel.kernel_regime.learning_curve import predict
from beyond_kernel.kernel_regime.spectrum import SphereSpectrum
from beyond_kernel.random_streams import generator_for
from beyond_kernel.transfer.digit_curve import RowSpectrum, measured_errors, predicted_error, row_spectrum


def rotated(N: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """A Gram matrix of falling eigenvalues and random eigenvectors, and outputs that favour the first of them."""
    generator = generator_for(seed, "rotated", N)
    Q = torch.linalg.qr(torch.randn(N, N, generator=generator, dtype=torch.float64)).Q
    falling = torch.arange(1, N + 1, dtype=torch.float64) ** -1.3
    outputs = Q @ (falling.sqrt()[:, None] * torch.randn(N, 3, generator=generator, dtype=torch.float64))
    return N * (Q * falling) @ Q.T / float(falling.sum()), outputs


@pytest.mark.parametrize("penalty", [1e-3, 0.3])
def test_it_is_what_is_measured_where_the_eigenvectors_are_random(penalty):
    """At a tenth, a half and nine tenths of the rows; the mean of 60 samples is known to a few in a hundred."""
    gram, outputs = rotated(200)
    outputs = outputs - outputs.mean(0)
    sizes = [20, 100, 180]
    found = measured_errors(gram, outputs, sizes, penalty, 60, generator_for(0, "samples"))
    expected = [predicted_error(row_spectrum(gram, outputs), n, penalty) for n in sizes]
    np.testing.assert_allclose(found, expected, rtol=0.06)


def test_among_very_many_rows_it_is_the_theory_for_a_law():
    """A hundred eigenfunctions that are seen by 10^6 rows: the others have nothing."""
    values, energies = np.zeros(1_000_000), np.zeros(1_000_000)
    values[:100] = np.arange(1, 101) ** -2.0
    energies[:100] = np.arange(1, 101) ** -1.0
    law = SphereSpectrum(3, torch.tensor(values[:100]), torch.ones(100, dtype=torch.float64), float(values.sum()))
    for n, penalty in ((10, 0.1), (50, 1.0), (300, 0.1)):
        expected = predict(law, torch.tensor(energies[:100]), n, penalty / n).risk / energies.sum()
        assert predicted_error(RowSpectrum(values, energies, values), n, penalty) == pytest.approx(expected, rel=2e-3)


def test_a_spectrum_is_that_of_numpy_with_the_energies_of_the_labels():
    gram, outputs = rotated(30)
    found = row_spectrum(gram, outputs)
    np.testing.assert_allclose(found.values, np.linalg.eigvalsh(gram.numpy()) / 30, atol=1e-12)
    assert found.energies.sum() == pytest.approx(float(outputs.var(0, correction=0).sum()))


def test_measured_errors_are_those_of_scikit_learn():
    gram, outputs = rotated(25)
    found = measured_errors(gram, outputs, [10], 0.2, 1, generator_for(1, "one sample"))
    order = torch.randperm(25, generator=generator_for(1, "one sample"))
    drawn, others = order[:10], order[10:]
    Y = (outputs - outputs.mean(0)).numpy()
    ridge = KernelRidge(alpha=0.2, kernel="precomputed").fit(gram[drawn][:, drawn].numpy(), Y[drawn])
    misses = ridge.predict(gram[others][:, drawn].numpy()) - Y[others]
    assert found[0] == pytest.approx(np.square(misses).sum(1).mean() / np.square(Y).sum(1).mean())


def test_bad_input_is_refused():
    spectrum = row_spectrum(*rotated(10))
    for n, penalty, said in ((10, 0.1, "n = 10"), (0, 0.1, "n = 0"), (5, 0.0, "penalty = 0")):
        with pytest.raises(BadParameter, match=said):
            predicted_error(spectrum, n, penalty)
    with pytest.raises(BadParameter, match="square"):
        row_spectrum(torch.ones(3, 2), torch.ones(3, 1))
