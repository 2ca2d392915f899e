"""Orthonormal hidden directions, drawn from a seed or given, and the subspace that a target depends on."""

import math
from collections.abc import Mapping

import torch

from beyond_kernel.checks import BadParameter, matrix
from beyond_kernel.foundations.targets.algebra import Polynomial, index_factorial
from beyond_kernel.random_streams import generator_for

_TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-4}  # far above rounding at d = 1000, far below a mistake


def drawn_directions(d: int, q: int, seed: int) -> torch.Tensor:
    """Return q orthonormal vectors of dimension d, uniformly distributed (Haar), as columns, float64 (d, q).

    Vector i comes from a stream of its own, made orthogonal to those before it: the first vectors do not
    change when more are asked for, so targets with one seed share their directions.

    Args:
        d: dimension.
        q: number of directions, at most d.
        seed: a whole number of at least 0.
    """
    streams = [generator_for(seed, "hidden direction", i) for i in range(q)]
    columns = [torch.randn(d, generator=stream, dtype=torch.float64, device=stream.device) for stream in streams]
    Q, R = torch.linalg.qr(torch.stack(columns, dim=1))
    return Q * R.diagonal().sign()  # without the signs QR is not Haar: it prefers one orientation


def given_directions(directions: torch.Tensor, d: int, q: int) -> torch.Tensor:
    """Return the first q columns of ``directions`` in double precision if all its columns are orthonormal.

    Raises:
        BadParameter: if the shape is not (d, at least q) or the columns are not orthonormal.
        TypeError: if it is no floating-point tensor.
    """
    matrix("directions", directions)
    rows, columns = directions.shape
    if rows != d or not q <= columns <= d:
        raise BadParameter(
            f"directions has shape {(rows, columns)}: it must have shape ({d}, q) with q from {q} to {d}."
        )
    U = directions.detach().to("cpu", torch.float64)
    gap = float((U.T @ U - torch.eye(columns, dtype=U.dtype, device=U.device)).abs().max())
    if gap > _TOLERANCE.get(directions.dtype, 1e-2):
        raise BadParameter(f"directions has columns that are not orthonormal: |U^T U - I| reaches {gap:.1e}.")
    return U[:, :q]


def relevant_basis(gradient: Mapping[int, Polynomial], rank: int, q: int) -> torch.Tensor:
    """Return an orthonormal basis of the span of the gradients in coordinates z1, ..., zq, float64 (q, rank).

    The span is that of the columns of the matrix whose row i holds the coefficients of the i-th derivative.

    Args:
        gradient: the derivatives by variable, in the Hermite basis.
        rank: the dimension of the span, known exactly.
        q: the number of coordinates.
    """
    used = torch.eye(q, dtype=torch.float64, device="cpu")[:, [variable - 1 for variable in gradient]]
    if rank == len(gradient):
        return used
    indices = sorted({index for row in gradient.values() for index in row})
    columns = {index: i for i, index in enumerate(indices)}
    table = torch.zeros(len(gradient), len(columns), dtype=used.dtype, device=used.device)
    for i, row in enumerate(gradient.values()):
        for index, coefficient in row.items():
            table[i, columns[index]] = float(coefficient) * math.sqrt(index_factorial(index))
    left, _, _ = torch.linalg.svd(table, full_matrices=False)
    return used @ left[:, :rank]
