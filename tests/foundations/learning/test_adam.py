"""The step is that of torch.optim.AdamW under its linear schedule, for each copy as if it were alone."""

import pytest
import torch

from beyond_kernel.checks import BadParameter
from beyond_kernel.foundations.learning.adam import Adam
from beyond_kernel.random_streams import generator_for

STEPS = 50


def slope(weights: torch.Tensor, step: int) -> torch.Tensor:
    """A gradient that depends on the weights and on the step: that of sum (1 - cos(w)) + sin(step) sum w^2 / 2."""
    return weights.sin() + torch.sin(torch.tensor(float(step))) * weights


def by_torch(start: torch.Tensor, rate: float, decay: float) -> torch.Tensor:
    weights = start.clone().requires_grad_()
    adam = torch.optim.AdamW([weights], lr=rate, betas=(0.9, 0.999), eps=1e-8, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.LinearLR(adam, 1.0, 0.0, total_iters=STEPS)
    for step in range(STEPS):
        weights.grad = slope(weights.detach(), step)
        adam.step()
        schedule.step()
    return weights.detach()


def drawn(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, generator=generator_for(0, "weights", *shape), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_columns_with_rates_and_decays_of_their_own_are_trained_as_torch_trains_them_alone(dtype, tolerance):
    pairs, start = [(0.01, 0.01), (0.1, 0.5), (0.03, 0.0)], drawn(4, 3, dtype=dtype)
    rates, decays = start.new_tensor(pairs).T
    weights = start.clone()
    adam = Adam([weights], rates, STEPS, decays)
    for step in range(STEPS):
        adam.step([slope(weights, step)])
    for column, (rate, decay) in enumerate(pairs):
        torch.testing.assert_close(weights[:, column], by_torch(start[:, column], rate, decay), rtol=0, atol=tolerance)


def test_tensors_of_several_shapes_without_decay():
    """Two copies along the first axis of each tensor, as in a trained layer."""
    starts, rates = [drawn(2, 3, 4), drawn(2, 1, 4), drawn(2, 1, 1)], [0.003, 0.2]
    weights = [start.clone() for start in starts]
    adam = Adam(weights, torch.tensor(rates, dtype=torch.float64)[:, None, None], STEPS)
    for step in range(STEPS):
        adam.step([slope(tensor, step) for tensor in weights])
    for tensor, start in zip(weights, starts, strict=True):
        for copy, rate in enumerate(rates):
            torch.testing.assert_close(tensor[copy], by_torch(start[copy], rate, 0.0), rtol=0, atol=1e-12)


def test_without_gradient_only_the_decay_moves():
    """Rates 0.1 and 0.05 of two steps, decay 0.5: 2 (1 - 0.05) (1 - 0.025)."""
    weights = torch.tensor([2.0, 2.0], dtype=torch.float64)
    adam = Adam([weights], torch.full_like(weights, 0.1), 2, torch.tensor([0.5, 0.0], dtype=torch.float64))
    for _ in range(2):
        adam.step([torch.zeros_like(weights)])
    assert weights.tolist() == pytest.approx([2 * 0.95 * 0.975, 2.0])


def test_bad_input_is_a_sentence():
    weights = drawn(4, 3)
    with pytest.raises(BadParameter, match="weights is empty"):
        Adam([], weights, 5)
    with pytest.raises(BadParameter, match=r"rates has shape \(4,\): it must spread over \(4, 3\)"):
        Adam([weights], drawn(4), 5)
    with pytest.raises(BadParameter, match=r"rates has shape \(1, 4, 3\): it must spread over \(4, 3\)"):
        Adam([weights], drawn(1, 4, 3), 5)
    with pytest.raises(BadParameter, match=r"decays has shape \(2,\): it must spread over \(4, 3\)"):
        Adam([weights], drawn(3), 5, drawn(2))
    with pytest.raises(BadParameter, match="steps = 0"):
        Adam([weights], drawn(3), 0)
    adam = Adam([weights], drawn(3), 1)
    adam.step([weights])
    with pytest.raises(BadParameter, match="steps = 1 have been taken"):
        adam.step([weights])
