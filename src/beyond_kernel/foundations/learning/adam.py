"""Adam with decoupled weight decay, its step sizes falling linearly to 0; copies may have rates of their own."""

from collections.abc import Sequence

import torch

from beyond_kernel.checks import BadParameter, whole_number

_FIRST, _SECOND, _TINY = 0.9, 0.999, 1e-8


class Adam:
    """Adam on tensors that it moves in place, each entry with a first step size and a decay of its own where asked for.

    With gradient g at step t of T, entry by entry: u <- 0.9 u + 0.1 g, v <- 0.999 v + 0.001 g^2, and
    w <- (1 - s decay) w - s u' / (sqrt(v') + 1e-8), with s = rate (1 - (t - 1) / T), u' = u / (1 - 0.9^t) and
    v' = v / (1 - 0.999^t).

    Args:
        weights: tensors of one dtype on one device; they are moved in place.
        rates: first step sizes, a tensor that each of the weights can be multiplied by without a change of shape.
        steps: T, after which the step sizes have fallen to 0.
        decays: of the weights, in units of the step size, of the shape of ``rates``; none where left out.

    Raises:
        BadParameter: if there is no tensor to move, rates or decays do not fit it, or steps is no whole number of at
            least 1.

    Source: Kingma and Ba 2015, with their usual constants; decoupled decay as ``torch.optim.AdamW`` has it.
    Chapters: one_step, depth_separation.

    >>> weight = torch.tensor([1.0])
    >>> adam = Adam([weight], rates=torch.tensor([0.1]), steps=2)
    >>> for _ in range(2):
    ...     adam.step([torch.tensor([3.0])])  # under an even gradient a step has the length of its size: 0.1, then 0.05
    >>> round(float(weight), 6)
    0.85
    """

    def __init__(
        self, weights: Sequence[torch.Tensor], rates: torch.Tensor, steps: int, decays: torch.Tensor | None = None
    ) -> None:
        if not weights:
            raise BadParameter("weights is empty: there must be a tensor to move.")
        for name, sizes in (("rates", rates), ("decays", rates if decays is None else decays)):
            for tensor in weights:
                _fits(name, sizes, tensor)
        self._weights = list(weights)
        self._means, self._squares = ([torch.zeros_like(tensor) for tensor in weights] for _ in range(2))
        self._rooms = [torch.empty_like(tensor) for tensor in weights]
        self._rates, self._shrinks = rates.contiguous(), None if decays is None else rates * decays
        self._taken, self._steps = 0, whole_number("steps", steps)

    def step(self, gradients: Sequence[torch.Tensor]) -> None:
        """Move all weights by one step.

        Args:
            gradients: one for each of the weights, of its shape.

        Raises:
            BadParameter: if all steps have been taken.
        """
        if self._taken == self._steps:
            raise BadParameter(f"steps = {self._steps} have been taken: the step size is 0 and must not go below.")
        left = 1 - self._taken / self._steps
        self._taken += 1
        first, second = 1 - _FIRST**self._taken, 1 - _SECOND**self._taken
        parts = zip(self._weights, self._means, self._squares, self._rooms, gradients, strict=True)
        for weights, mean, square, room, gradient in parts:
            mean.lerp_(gradient, 1 - _FIRST)
            square.mul_(_SECOND).addcmul_(gradient, gradient, value=1 - _SECOND)
            torch.sqrt(square, out=room).mul_(1 / second**0.5).add_(_TINY)
            torch.div(mean, room, out=room).mul_(self._rates)
            if self._shrinks is not None:
                weights.mul_(1 - left * self._shrinks)
            weights.sub_(room, alpha=left / first)


def _fits(name: str, sizes: torch.Tensor, weights: torch.Tensor) -> None:
    """Refuse sizes that do not spread over the entries of a tensor."""
    here, there = sizes.shape[::-1], weights.shape[::-1]
    if len(here) > len(there) or any(one not in (1, other) for one, other in zip(here, there, strict=False)):
        raise BadParameter(f"{name} has shape {tuple(sizes.shape)}: it must spread over {tuple(weights.shape)}.")
