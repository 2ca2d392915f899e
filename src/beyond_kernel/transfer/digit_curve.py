"""The error of ridge regression on rows that were not drawn, predicted from the eigenvectors of all rows together.

A finite set of N rows, of which n are drawn without replacement and fitted; nothing is known of a law behind them.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import brentq

from beyond_kernel.checks import BadParameter, matrix, real_number, whole_number


@dataclass(frozen=True)
class RowSpectrum:
    """Eigenvalues of a kernel on N rows, and where the labels lie among its eigenvectors.

    Attributes:
        values: eigenvalues of K / N, of shape (N,), none below 0.
        energies: squared coefficients of the outputs less their means, over N and summed over outputs, of shape (N,).
        peaks: N times the sum of the fourth powers of each eigenvector's entries, of shape (N,); near 3 where it is
            spread over the rows as if rotated at random, N where it sits on one.
    """

    values: np.ndarray
    energies: np.ndarray
    peaks: np.ndarray


def row_spectrum(gram: torch.Tensor, outputs: torch.Tensor) -> RowSpectrum:
    """Return the spectrum of a kernel on rows, and of the labels in it.

    Args:
        gram: the kernel K of all rows with each other, symmetric, of shape (N, N).
        outputs: labels of all rows, of shape (N, k).

    Raises:
        BadParameter: if shapes do not fit.

    Chapter: real_digits.
    """
    N = len(matrix("gram", gram))
    if gram.shape[1] != N:
        raise BadParameter(f"gram has shape {tuple(gram.shape)}: it must be square.")
    if len(matrix("outputs", outputs)) != N:
        raise BadParameter(f"outputs has {len(outputs)} rows: it must have {N}.")
    values, vectors = torch.linalg.eigh(gram / N)
    energies = (vectors.T @ (outputs - outputs.mean(0)).to(gram)).square().sum(1) / N
    peaks = N * vectors.square().square().sum(0)
    return RowSpectrum(values.clamp(min=0).cpu().numpy(), energies.cpu().numpy(), peaks.cpu().numpy())


def predicted_error(spectrum: RowSpectrum, n: int, penalty: float) -> float:
    """Predict the error on the N - n rows that were not drawn, over that of the mean: 1 for nothing learnt.

    With penalty lambda, (K_nn + lambda I) dual = Y, eigenvalues v of K / N and f = n / N, kappa solves

        sum_i L_i + (lambda / kappa) (1 - mean L) = n,   L_i = v_i / (v_i + kappa),

    and the error is f / (m_1^2 - (1 - f) m_2) sum_i (1 - L_i)^2 E_i / sum_i E_i, with m_k the mean of (1 - L)^k. It
    assumes that the eigenvectors lie among the rows as if they had been rotated at random. For N to infinity it is
    the formula of ``learning_curve.predict``, in which a law stands for the rows.

    Args:
        spectrum: of the kernel on all N rows.
        n: rows drawn, from 1 to N - 1.
        penalty: lambda, above 0, in the kernel's units; not multiplied by n.

    Raises:
        BadParameter: if a number is out of range.

    Source: derived here; the limit is by Bordelon, Canatar, Pehlevan 2020 and Simon et al. 2023. Chapter: real_digits.
    """
    N = len(spectrum.values)
    whole_number("n", n, most=N - 1)
    real_number("penalty", penalty, above=0)

    def excess(log_resolution: float) -> float:
        kappa = np.exp(log_resolution)
        learnt = spectrum.values / (spectrum.values + kappa)
        return float(learnt.sum() + penalty / kappa * (1 - learnt.mean()) - n)

    # the left side is at most (trace + lambda) / kappa, and at least (lambda / kappa) (1 - mean L) for small kappa
    largest = np.log((spectrum.values.sum() + penalty) / n)
    kappa = np.exp(brentq(excess, _low(excess, largest), largest + 1, xtol=1e-13))
    missed = 1 - spectrum.values / (spectrum.values + kappa)
    first, second, share = missed.mean(), np.square(missed).mean(), n / N
    inflation = share / (first**2 - (1 - share) * second)
    return float(inflation * (np.square(missed) @ spectrum.energies) / spectrum.energies.sum())


def measured_errors(
    gram: torch.Tensor, outputs: torch.Tensor, sizes: list[int], penalty: float, draws: int, generator: torch.Generator
) -> np.ndarray:
    """Return the error on rows that were not drawn, over that of the mean, averaged over draws, of shape (sizes,).

    Args:
        gram: the kernel of all rows with each other, of shape (N, N).
        outputs: labels of all rows, of shape (N, k).
        sizes: rows drawn, each below N.
        penalty: lambda, above 0, in the kernel's units.
        draws: samples averaged over for each size.
        generator: source of the samples.

    Raises:
        BadParameter: if shapes do not fit or a number is out of range.

    Chapter: real_digits.
    """
    N = len(matrix("gram", gram))
    if gram.shape[1] != N or len(matrix("outputs", outputs)) != N:
        wrong = "gram" if gram.shape[1] != N else "outputs"
        raise BadParameter(f"{wrong} must have {N} rows and gram as many columns.")
    Y = (outputs - outputs.mean(0)).to(gram)
    spread = float(Y.square().sum()) / N
    found = np.zeros(len(sizes))
    for place, n in enumerate(sizes):
        whole_number("n", n, most=N - 1)
        for _ in range(whole_number("draws", draws)):
            order = torch.randperm(N, generator=generator, device="cpu").to(gram.device)
            drawn, others = order[:n], order[n:]
            shifted = gram[drawn][:, drawn].clone()
            shifted.diagonal().add_(real_number("penalty", penalty, above=0))
            misses = gram[others][:, drawn] @ torch.linalg.solve(shifted, Y[drawn]) - Y[others]
            found[place] += float(misses.square().sum(1).mean()) / spread / draws
    return found


def _low(excess, start: float) -> float:
    """Return a point at which the left side is above n, found by going down."""
    low = start
    while excess(low) < 0:
        low -= 5.0
    return low
