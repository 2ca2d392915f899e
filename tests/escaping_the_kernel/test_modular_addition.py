"""Modular addition: forms against kernel ridge regression, gradients against autograd, circulant blocks by hand."""

import numpy as np
import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.escaping_the_kernel.learnt_metrics import outer_product_of_gradients
from beyond_kernel.escaping_the_kernel.modular_addition import (
    circulant_share,
    form_values,
    metric_of_forms,
    modular_pairs,
    quadratic_forms,
)
from beyond_kernel.random_streams import generator_for


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=generator_for(seed, "modular"), dtype=torch.float64)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_pairs_are_all_pairs_with_their_sums(dtype):
    X, sums = modular_pairs(5, dtype)
    assert X.shape == (25, 10) and X.dtype == dtype and bool((X.sum(1) == 2).all())
    for row, total in zip(X, sums, strict=True):
        first, second = row.nonzero().flatten().tolist()
        assert int(total) == (first + (second - 5)) % 5
    assert len({tuple(row.tolist()) for row in X}) == 25


def test_forms_are_kernel_ridge_regression_with_the_squared_inner_product():
    X, Z, outputs, root = normal(12, 4), normal(7, 4, seed=1), normal(12, 2, seed=2), normal(4, 4, seed=3)
    metric = (root @ root.T).numpy()
    K = (X.numpy() @ metric @ X.numpy().T) ** 2
    dual = np.linalg.solve(K + 0.1 * K.diagonal().mean() * np.eye(12), outputs.numpy())
    expected = (Z.numpy() @ metric @ X.numpy().T) ** 2 @ dual
    forms = quadratic_forms(X, outputs, torch.tensor(metric), penalty=0.1)
    assert torch.allclose(forms, forms.mT, atol=1e-10)
    assert np.allclose(form_values(forms, Z).numpy(), expected, atol=1e-8)


@pytest.mark.parametrize("power", [1.0, 0.5])
def test_metric_of_forms_is_the_gradients_outer_product_to_a_power(power):
    X, half = normal(15, 4), normal(3, 4, 4, seed=1)
    forms = half + half.mT
    average = sum(outer_product_of_gradients(lambda Z, B=B: ((Z @ B) * Z).sum(1), X) for B in forms)
    found = metric_of_forms(forms, X, power)
    assert float(found.trace()) == pytest.approx(4)
    raised = torch.linalg.matrix_power(found, round(1 / power))
    assert torch.allclose(raised / raised.trace(), average / average.trace(), atol=1e-10)


def test_a_circulant_block_is_known_and_its_mirror_image_is_not():
    row = normal(7)
    block = torch.stack([row.roll(i) for i in range(7)])
    assert circulant_share(block) == pytest.approx(1)
    assert circulant_share(5 - 2 * block) == pytest.approx(1)
    assert circulant_share(block.flip(0)) < 1e-12  # depends on a + b: along b - a it averages out, p being odd
    shares = [circulant_share(normal(7, 7, seed=seed)) for seed in range(200)]
    assert np.mean(shares) == pytest.approx(1 / 8, abs=0.02)  # 6 of the 48 degrees of freedom


def test_bad_input_is_refused_with_a_sentence():
    X, unit = normal(6, 4), torch.eye(4, dtype=torch.float64)
    with pytest.raises(BadParameter, match="modulus = 1"):
        modular_pairs(1)
    with pytest.raises(BadParameter, match="outputs has 5 rows: it must have 6"):
        quadratic_forms(X, normal(5, 2), unit)
    with pytest.raises(BadParameter, match="metric has shape"):
        quadratic_forms(X, normal(6, 2), torch.ones(3, 4, dtype=torch.float64))
    with pytest.raises(BadParameter, match="penalty = 0"):
        quadratic_forms(X, normal(6, 2), unit, penalty=0)
    with pytest.raises(BadParameter, match="power = 0"):
        metric_of_forms(unit[None], X, 0)
    with pytest.raises(BadParameter, match="forms are all 0"):
        metric_of_forms(0 * unit[None], X)
    with pytest.raises(BadParameter, match=r"block has shape \(2, 3\)"):
        circulant_share(torch.ones(2, 3))
    with pytest.raises(BadParameter, match="block is constant"):
        circulant_share(torch.ones(3, 3))
