"""Hidden directions: orthonormal, shared between targets, without a preferred orientation."""

import math

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.targets.hidden_directions import drawn_directions, given_directions


@pytest.mark.parametrize(("d", "q"), [(1, 1), (3, 3), (20, 4), (300, 70)])
def test_drawn_directions_are_orthonormal(d, q):
    U = drawn_directions(d, q, 3)
    assert U.shape == (d, q) and U.dtype == torch.float64
    torch.testing.assert_close(U.T @ U, torch.eye(q, dtype=torch.float64), rtol=0, atol=1e-13)  # rounding of QR


def test_first_directions_stay_when_more_are_asked_for():
    torch.testing.assert_close(drawn_directions(15, 5, 1)[:, :2], drawn_directions(15, 2, 1), rtol=0, atol=1e-14)


def test_the_seed_decides():
    assert torch.equal(drawn_directions(9, 2, 4), drawn_directions(9, 2, 4))
    assert not torch.allclose(drawn_directions(9, 2, 4), drawn_directions(9, 2, 5))


@pytest.mark.parametrize("column", [0, 1])
def test_draws_are_uniform(column):
    d, draws = 4, 2000
    U = torch.stack([drawn_directions(d, 2, seed)[:, column] for seed in range(draws)])
    # Mean 0 with variance 1/d, and fourth moment 3/(d (d+2)) = 1/8, whose variance is below E u^8 = 105/1920:
    # five standard errors. Without the sign correction of QR the first mean would be far away.
    assert (U.mean(dim=0).abs() <= 5 / math.sqrt(d * draws)).all()
    assert ((U**4).mean(dim=0) - 1 / 8).abs().max() <= 5 * math.sqrt(105 / 1920 / draws)


def test_given_directions_are_kept():
    U = torch.linalg.qr(torch.randn(6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64))[0]
    assert torch.equal(given_directions(U, 6, 3), U)
    assert torch.equal(given_directions(U, 6, 2), U[:, :2])
    assert given_directions(U.float(), 6, 3).dtype == torch.float64


@pytest.mark.parametrize(
    ("directions", "phrase"),
    [
        (torch.eye(5)[:, :2], r"shape \(5, 2\).*\(6, q\)"),
        (torch.eye(6)[:, :1], r"shape \(6, 1\).*q from 2 to 6"),
        (torch.ones(6, 7), r"shape \(6, 7\)"),
        (2 * torch.eye(6)[:, :2], "not orthonormal"),
        (torch.ones(6, 2) / 6**0.5, "not orthonormal"),
        (torch.full((6, 2), float("nan")), "not finite"),
    ],
)
def test_bad_directions_are_refused(directions, phrase):
    with pytest.raises(BadParameter, match=phrase):
        given_directions(directions, 6, 2)


def test_directions_must_be_a_floating_tensor():
    with pytest.raises(TypeError):
        given_directions([[1.0], [0.0]], 2, 1)
    with pytest.raises(TypeError):
        given_directions(torch.eye(3, dtype=torch.int64), 3, 1)
