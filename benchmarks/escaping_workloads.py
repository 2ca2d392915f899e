"""The workloads on the ways out of the kernel regime, each with what a reader would write in torch instead."""

from collections.abc import Callable, Iterator

import torch
from measuring import Run, Workload, timed
from workloads import first_row, normal, product

from beyond_kernel.escaping_the_kernel.recursive_features import average_gradient_outer_product
from beyond_kernel.escaping_the_kernel.taylor_model import TaylorModel, taylor_start, train_taylor
from beyond_kernel.kernel_regime.gaussian_kernel import gaussian_kernel
from beyond_kernel.random_streams import generator_for

SIZES = {
    "full": {"taylor": (2000, 100, 1024, 20), "gradients": (1000, 100), "backend": "inductor"},
    "tiny": {"taylor": (30, 5, 16, 3), "gradients": (40, 5), "backend": "aot_eager"},
}
"""Of X (n, d), of the network m and of training the number of steps; the tiny sizes need no compiler."""
Loss = Callable[[torch.Tensor], torch.Tensor]


def escaping_workloads(scale: str, device: str) -> Iterator[Workload]:
    """Yield all workloads, each prepared when its turn comes.

    Args:
        scale: "full" or "tiny".
        device: where ours and the peers run.
    """
    sizes = SIZES[scale]
    yield taylor(*sizes["taylor"], sizes["backend"], device)
    yield metric_gradients(*sizes["gradients"], device)


def taylor(n: int, d: int, m: int, steps: int, backend: str, device: str) -> Workload:
    """Return full-batch training of the Taylor model f_L + f_Q, with momentum; growth is that of a step."""
    X = normal("taylor", n, d, torch.float32, device)
    y = X[:, 0] * X[:, 1]
    start = taylor_start(m, d, generator_for(0, "taylor"), jitter=0.02, dtype=torch.float32, device=device)
    kept = loss_of_kept_derivatives(start, X, y)

    def trained(loss: Loss) -> Run:
        return timed(lambda: by_autograd(loss, start.W, steps), first_row, device)

    return Workload(
        f"Taylor model, {steps} full-batch steps", f"n={n}, d={d}, m={m}, float32",
        timed(lambda: train_taylor(start, X, y, steps=steps).W, first_row, device),
        product(n, max(1, 2 * d * m * steps // n), X), n, rounds=5, tolerance=1e-3,
        peers={
            "torch autograd, as it is defined": trained(loss_as_defined(start, X, y)),
            "torch autograd, derivatives kept": trained(kept),
            "torch.compile, derivatives kept": _compiled(kept, start.W, backend, trained),
        },
        reach=dict.fromkeys(("torch autograd, as it is defined", "torch autograd, derivatives kept",
                             "torch.compile, derivatives kept"), 2.5),
    )  # fmt: skip


def loss_as_defined(start: TaylorModel, X: torch.Tensor, y: torch.Tensor) -> Loss:
    """Return the loss of f_L + f_Q in the moves, with the derivatives of sigma(z) = 1 / (1 + exp(1 - z)) by hand."""

    def loss(W: torch.Tensor) -> torch.Tensor:
        value = torch.sigmoid(X @ start.W0.T - 1)
        slope = value * (1 - value)
        first, second = (X @ W.T).chunk(2, dim=1)
        linear = (slope * (first - second)).sum(1)
        quadratic = (slope * (1 - 2 * value) * (first.square() - second.square())).sum(1) / 2
        return ((linear + quadratic) / len(W) ** 0.5 - y).square().mean()

    return loss


def loss_of_kept_derivatives(start: TaylorModel, X: torch.Tensor, y: torch.Tensor) -> Loss:
    """Return the same loss with sigma' and sigma'' computed once, signs and factors included."""
    slopes, bends = (torch.cat([part, -part], 1) for part in (start.slopes(X), start.bends(X)))

    def loss(W: torch.Tensor) -> torch.Tensor:
        inner = X @ W.T
        return ((slopes * inner + bends * inner.square()).sum(1) - y).square().mean()

    return loss


def by_autograd(loss: Loss, W: torch.Tensor, steps: int) -> torch.Tensor:
    """Return the weights after some steps of torch's gradient descent with momentum."""
    weights = W.clone().requires_grad_()
    optimiser = torch.optim.SGD([weights], lr=2.0, momentum=0.9)
    for _ in range(steps):
        optimiser.zero_grad()
        loss(weights).backward()
        optimiser.step()
    return weights.detach()


def _compiled(loss: Loss, W: torch.Tensor, backend: str, trained: Callable[[Loss], Run]) -> Run | str:
    """Return a run of the compiled loss, or why there is none."""
    compiled = torch.compile(loss, backend=backend)
    try:
        compiled(W.clone().requires_grad_()).backward()
    except RuntimeError as error:  # among others, there is no compiler
        return f"does not compile here: {type(error).__name__}"
    return trained(compiled)


def metric_gradients(n: int, d: int, device: str) -> Workload:
    """Return the average gradient outer product of a kernel predictor with a metric."""
    X = normal("gradients", n, d, torch.float64, device)
    coefficients = normal("coefficients", n, 1, torch.float64, device)[:, 0] / n
    root = normal("metric", d, d, torch.float64, device)
    metric, length = root @ root.T / d, d**0.5
    value = predictor_of(X, coefficients, length, metric)
    inner = (4 * n * n * d + 2 * n * n + 4 * n * d * d) / (2 * n * n)  # of a product with as many operations
    per_sample = "torch autograd, sample by sample", "torch.func, vmap of grad"
    return Workload(
        "average gradient outer product", f"n={n}, d={d}, float64",
        timed(lambda: average_gradient_outer_product(X, coefficients, length, metric), first_row, device),
        product(n, round(inner), X), n, rounds=3,
        peers={
            per_sample[0]: timed(lambda: outer(torch.stack([_gradient(value, x) for x in X])), first_row, device),
            per_sample[1]: timed(
                lambda: outer(torch.func.vmap(torch.func.grad(value), chunk_size=100)(X)), first_row, device
            ),
            "torch autograd, one pass for all": timed(
                lambda: outer(_gradient(
                    lambda Z: (gaussian_kernel(Z, X, length=length, metric=metric) @ coefficients).sum(), X
                )), first_row, device,
            ),
        },
        reach=dict.fromkeys(per_sample, 10.0), tolerance=1e-6,
    )  # fmt: skip


def predictor_of(X: torch.Tensor, coefficients: torch.Tensor, length: float, metric: torch.Tensor) -> Loss:
    """Return f(x) = sum_j c_j exp(-(x - x_j)' M (x - x_j) / (2 L^2)), a function of one point of shape (d,)."""

    def value(x: torch.Tensor) -> torch.Tensor:
        gaps = x - X
        return torch.exp(-((gaps @ metric) * gaps).sum(1) / (2 * length**2)) @ coefficients

    return value


def outer(gradients: torch.Tensor) -> torch.Tensor:
    """Return the mean over rows of their outer products."""
    return gradients.T @ gradients / len(gradients)


def _gradient(value: Loss, x: torch.Tensor) -> torch.Tensor:
    point = x.clone().requires_grad_()
    return torch.autograd.grad(value(point), point)[0]
