"""TODO: the experiments of sample_complexity, each a pure function of one cell's parameters."""

import torch

from beyond_kernel.checks import real_number, whole_number
from beyond_kernel.feature_learning.sample_complexity import hessian_estimate
from beyond_kernel.foundations.targets.target import parse_target
from beyond_kernel.random_streams import generator_for


def sample_complexity_cell(
    target: str, d: int, n: int, noise: float, *, device: str = "cpu", seed: int
) -> dict[str, float]:
    """Estimate the mean Hessian of a target, scaled to mean square one, from n noisy samples.

    Returns:
        ``error``: Frobenius norm of estimate minus truth; ``size``: Frobenius norm of the truth.
    """
    truth = parse_target(target, d, seed).normalised()
    generator = generator_for(seed, "sample_complexity", n, d)  # draws on the CPU: the same sample whatever the device
    X = torch.randn(whole_number("n", n), d, generator=generator, dtype=torch.float64, device="cpu").to(device)
    signs = 2 * torch.randint(2, (n,), generator=generator, device="cpu").to(X) - 1
    estimate = hessian_estimate(X, truth(X) + real_number("noise", noise, least=0) * signs)
    exact = truth.expected_hessian().to(X)
    return {"error": float((estimate - exact).norm()), "size": float(exact.norm())}
