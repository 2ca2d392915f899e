"""The workloads of the kernel regime, each with what a reader would use instead."""

import math
from collections.abc import Callable, Iterator

import torch
from measuring import Run, Workload, timed
from peer_process import PeerProcess

from beyond_kernel.foundations.learning import krylov, ridge
from beyond_kernel.kernel_regime.empirical_kernel import empirical_tangent_kernel
from beyond_kernel.kernel_regime.tangent_kernel import random_feature_kernel, tangent_kernel
from beyond_kernel.random_streams import generator_for

SIZES = {
    "full": {
        "gram": [(1000, 100), (2000, 100), (4000, 100)],
        "ridge": [(1000, 100), (2000, 100), (4000, 100)],
        "slow ridge": [(2000, 4)],
        "empirical": [(2000, 100, 1024)],
    },
    "tiny": {
        "gram": [(40, 5), (80, 5)],
        "ridge": [(40, 5), (80, 5)],
        "slow ridge": [(60, 4)],
        "empirical": [(30, 5, 16)],
    },
}
"""Of X (n, d), and of the network (n, d, m)."""

PENALTIES = 20


def workloads(scale: str, device: str, other: PeerProcess) -> Iterator[Workload]:
    """Yield all workloads, each prepared when its turn comes.

    Args:
        scale: "full" or "tiny".
        device: where ours and the peers in torch run.
        other: the process of neural-tangents.
    """
    sizes = SIZES[scale]
    for n, d in sizes["gram"]:
        yield gram(n, d, device, other, compared=(n, d) == sizes["gram"][-1])
    for n, d in sizes["ridge"]:
        yield ridge_path(n, d, device, rounds=1 if (n, d) == sizes["ridge"][-1] else 3)
    for n, d in sizes["slow ridge"]:
        yield ridge_path(n, d, device, rounds=3, slow=True)
    for n, d, m in sizes["empirical"]:
        yield empirical(n, d, m, device, other)


def gram(n: int, d: int, device: str, other: PeerProcess, compared: bool) -> Workload:
    """Return the full Gram matrix of the tangent kernel; the smaller sizes stand for growth alone."""
    X = normal("gram", n, d, torch.float64, device)
    peers = {"naive closed form in torch": timed(lambda: naive_tangent_kernel(X), first_row, device)}
    peers["neural-tangents, jit"] = _in_our_scale(other.run("analytic", X), X)
    return Workload(
        "full Gram matrix, ReLU tangent kernel", f"n={n}, d={d}, float64",
        timed(lambda: tangent_kernel(X), first_row, device), product(n, d // 2, X), n, rounds=5,
        peers=peers if compared else {},
        reach={"naive closed form in torch": 2.5, "neural-tangents, jit": 2.5}, tolerance=1e-6,
    )  # fmt: skip


def naive_tangent_kernel(X: torch.Tensor) -> torch.Tensor:
    """Return the closed form as one writes it from the paper, on whole arrays."""
    norms = X.norm(dim=1)
    inner = X @ X.T
    lengths = norms[:, None] * norms
    cosine = (inner / lengths).clamp(-1, 1)
    theta = torch.acos(cosine)
    both_active = (math.pi - theta) / (2 * math.pi)
    head = lengths * (torch.sin(theta) + (math.pi - theta) * cosine) / (2 * math.pi) / X.shape[1]
    return head + inner * both_active


def ridge_path(n: int, d: int, device: str, rounds: int, slow: bool = False) -> Workload:
    """Return the path of 20 penalties and its errors on fresh points; in low dimension eigenvalues fall slowly."""
    X, Z = (normal(name, size, d, torch.float64, device) for name, size in (("ridge", n), ("held out", 1000)))
    noise = normal("noise", n + 1000, 1, torch.float64, device)[:, 0]
    y, v = (points[:, 0].square() + points[:, 1] for points in (X, Z))
    y, v = y + 0.3 * noise[:n], v + 0.3 * noise[n:]
    kernel, cross = tangent_kernel(X), tangent_kernel(Z, X)
    penalties = kernel.new_tensor(torch.logspace(-8, 1, PENALTIES).tolist()) * float(kernel.diagonal().mean())

    def ours() -> torch.Tensor:
        path = ridge.kernel_ridge_path(kernel, y, penalties)
        return (cross @ path.T - v[:, None]).square().mean(0)

    peer = _scikit_learn(kernel, y, cross, v, penalties)
    steps = _products_with_the_kernel(ours)
    title = "ridge path, 20 penalties" + (", slow eigenvalues" if slow else "")
    return Workload(
        title, f"n={n}, d={d}, float64, {steps} steps", timed(ours, lambda losses: losses, device),
        product(n, steps + PENALTIES, kernel), n, rounds,
        peers={"scikit-learn KernelRidge": peer}, reach={"scikit-learn KernelRidge": 20.0}, tolerance=1e-6,
    )  # fmt: skip


def _scikit_learn(kernel, y, cross, v, penalties) -> Run | str:
    try:
        from sklearn.kernel_ridge import KernelRidge
    except ImportError:
        return "not installed: see make bench"
    K, labels, Kv, labels_v = (tensor.cpu().numpy() for tensor in (kernel, y, cross, v))

    def losses() -> torch.Tensor:
        found = []
        for penalty in penalties.tolist():
            model = KernelRidge(alpha=len(K) * penalty, kernel="precomputed").fit(K, labels)
            found.append(((model.predict(Kv) - labels_v) ** 2).mean())
        return torch.tensor(found, dtype=torch.float64)

    return timed(losses, lambda losses: losses, "cpu")


def _products_with_the_kernel(work: Callable[[], torch.Tensor]) -> int:
    """Count the Lanczos steps of ``work``."""
    plain, count = krylov._product_with, [0]

    def counting(kernel: torch.Tensor) -> Callable:
        product = plain(kernel)

        def counted(v: torch.Tensor) -> torch.Tensor:
            count[0] += 1
            return product(v)

        return counted

    krylov._product_with = counting
    try:
        work()
    finally:
        krylov._product_with = plain
    return count[0]


def empirical(n: int, d: int, m: int, device: str, other: PeerProcess) -> Workload:
    """Return the tangent kernel of one ReLU network of width m on n inputs, float32."""
    X = normal("empirical", n, d, torch.float32, device)
    W = normal("neurons", m, d, torch.float32, device) / d**0.5
    a = torch.ones(m, device=device)
    inner = (n * n * (2 * m + d) + 2 * n * m * d) / (2 * n * n)  # of a product with as many operations
    peers = {
        "torch.func jacrev": timed(lambda: tangent_kernel_by_jacobian(X, W, a), first_row, device),
        "neural-tangents, structured derivatives": other.run("empirical", X, W.T, a[:, None]),
    }
    return Workload(
        "tangent kernel of one network", f"n={n}, d={d}, m={m}, float32",
        timed(lambda: empirical_tangent_kernel(X, None, W, a), first_row, device), product(n, round(inner), X),
        n, rounds=3, peers=peers, tolerance=1e-3,
        reach={"torch.func jacrev": 50.0, "neural-tangents, structured derivatives": 2.0},
    )  # fmt: skip


def tangent_kernel_by_jacobian(X: torch.Tensor, W: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    """Return J J^T with the Jacobian of every output in all weights by automatic differentiation."""

    def network(weights: tuple[torch.Tensor, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        return torch.relu(weights[0] @ x) @ weights[1] / len(a) ** 0.5

    jacobian = torch.func.vmap(torch.func.jacrev(network), in_dims=(None, 0))((W, a), X)
    return sum(block.flatten(1) @ block.flatten(1).T for block in jacobian)


def _in_our_scale(run: Run | str, X: torch.Tensor) -> Run | str:
    """Return a run of the other package with its answer in our scale: its first layer is divided by d."""
    if isinstance(run, str):
        return run
    head = random_feature_kernel(X[:1], X)[0].cpu()
    head[0] = X[0].square().sum().cpu() / (2 * X.shape[1])
    return lambda: ((found := run())[0], head + X.shape[1] * (found[1] - head))


def product(n: int, inner: int, like: torch.Tensor) -> Run:
    """Return the product of an (n, inner) with an (inner, n) matrix into a kept buffer: a floor.

    Args:
        n: rows and columns of the result.
        inner: the size that is summed over.
        like: gives dtype and device.
    """
    left, right, out = like.new_ones(n, inner), like.new_ones(inner, n), like.new_empty(n, n)
    return timed(lambda: torch.mm(left, right, out=out), first_row, str(like.device).split(":")[0])


def first_row(result: torch.Tensor) -> torch.Tensor:
    """Return the numbers by which two matrices are compared."""
    return result[0]


def normal(name: str, n: int, d: int, dtype: torch.dtype, device: str) -> torch.Tensor:
    """Return an (n, d) matrix of normals, the same on every device.

    Args:
        name: of the stream.
        n: rows.
        d: columns.
        dtype: a floating-point dtype.
        device: where it is to lie.
    """
    return torch.randn(n, d, generator=generator_for(0, name, n, d), dtype=dtype).to(device)
