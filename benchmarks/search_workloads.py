"""The search for one direction, one neuron and one sample a step: the exact chain and the simulation, beside torch.

Seconds are those of one step of one replica: the seconds of a run over its steps and its replicas.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from measuring import Run, Workload, relative_gap, timed
from scipy.stats import ks_2samp

from beyond_kernel.feature_learning.online_sgd import online_sgd, square_pull
from beyond_kernel.feature_learning.overlap_chain import overlap_paths, square_rule
from beyond_kernel.feature_learning.scaled_link import scaled_link
from beyond_kernel.random_streams import generator_for


@dataclass(frozen=True)
class Sizes:
    """How much is run.

    Attributes:
        replicas: side by side, in the chain, in our simulation and in the peers that run all at once.
        chain: steps of the chain.
        loop: steps of a peer with one neuron.
        together: steps of all replicas in d dimensions.
        dims: the d of the simulations; the chain stands beside torch in the first.
        far: a d for the chain alone.
        law: replicas of the chain in the two-sample test.
        sample: replicas of a peer in that test.
        compared: steps after which answers are compared.
        backend: of torch.compile.
    """

    replicas: int
    chain: int
    loop: int
    together: int
    dims: tuple[int, ...]
    far: int
    law: int
    sample: int
    compared: int
    backend: str


SIZES = {
    "full": Sizes(64, 4096, 1000, 500, (100, 1000), 1_000_000, 4000, 256, 100, "inductor"),
    "tiny": Sizes(4, 20, 10, 10, (5, 9), 50, 200, 20, 10, "aot_eager"),
}
"""The tiny sizes need no compiler."""

LINK, RATE, START = scaled_link("he2"), 0.2, 0.5  # rate times d; a start where the labels pull and noise pushes back
CRITICAL = 1.949  # Kolmogorov and Smirnov's statistic over the root of 1/n + 1/m, at one in a thousand
LOOP, COMPILED = "torch autograd loop", "torch.compile of a whole step"
TOGETHER, COMPILED_TOGETHER = "torch autograd, all replicas at once", "torch.compile, all replicas at once"
ALONE = (LOOP, COMPILED)

Walk = Callable[[torch.Tensor, Iterable[torch.Tensor]], torch.Tensor]
"""From weights at the start and the input of each step to weights at the end: of one neuron, or one a row."""
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def search_workloads(scale: str, device: str) -> Iterator[Workload]:
    """Yield all workloads, each prepared when its turn comes.

    Args:
        scale: "full" or "tiny".
        device: where simulation and peers run; the chain runs on the processor.
    """
    sizes = SIZES[scale]
    yield chain(sizes, device)
    yield far_chain(sizes)
    for d in sizes.dims:
        yield simulation(d, sizes, device)


def chain(sizes: Sizes, device: str) -> Workload:
    """Return the chain of the overlap beside torch in d dimensions: the same law, but no path in common."""
    d, walks = sizes.dims[0], torch_walks(sizes.dims[0], sizes, device)
    return Workload(
        "chain of the overlap, a step of one replica", f"d={d}, {sizes.replicas} replicas, float64",
        chained(d, sizes), chance_of_the_chain(d, sizes), sizes.replicas, rounds=5, tolerance=1.0,
        peers={name: walked(name, walk, d, sizes, device) for name, walk in walks.items()},
        reach={LOOP: 500.0}, compare=lambda: gaps_in_law(walks, d, sizes, device),
    )  # fmt: skip


def far_chain(sizes: Sizes) -> Workload:
    """Return the chain in a high dimension beside itself in a low one, where it was compared with torch."""
    same = f"itself at d={sizes.dims[0]}"
    return Workload(
        "chain of the overlap, a step of one replica", f"d={sizes.far:,}, {sizes.replicas} replicas, float64",
        chained(sizes.far, sizes), chance_of_the_chain(sizes.far, sizes), sizes.replicas, rounds=9, tolerance=0.0,
        peers={same: chained(sizes.dims[0], sizes)}, reach={same: 0.91}, compare=lambda: {same: 0.0},
    )  # fmt: skip


def simulation(d: int, sizes: Sizes, device: str) -> Workload:
    """Return our simulation in d dimensions beside torch: the same paths where the inputs are the same."""
    walks, count = torch_walks(d, sizes, device), sizes.replicas * sizes.together
    return Workload(
        "simulation of online SGD, a step of one replica", f"d={d}, {sizes.replicas} replicas, float32",
        per(count, timed(lambda: simulated(d, sizes, sizes.together, device), first_column, device)),
        per(count, timed(lambda: deque(inputs(sizes, d, sizes.together, device), 1)[0], first_column, device)),
        sizes.replicas, rounds=5, tolerance=1e-3,
        peers={name: walked(name, walk, d, sizes, device) for name, walk in walks.items()},
        reach={LOOP: 90.0} if d == sizes.dims[0] else {}, compare=lambda: gaps_in_paths(walks, d, sizes, device),
    )  # fmt: skip


def per(count: int, run: Run) -> Run:
    """Return a run whose seconds are divided by a count."""

    def share() -> tuple[float, torch.Tensor]:
        seconds, answer = run()
        return seconds / count, answer

    return share


def first_column(weights: torch.Tensor) -> torch.Tensor:
    """Return the overlaps with the hidden direction, the first axis."""
    return weights[..., 0]


def chained(d: int, sizes: Sizes) -> Run:
    """Return a run of the chain."""
    R, steps = sizes.replicas, sizes.chain
    return per(R * steps, timed(lambda: end_of_chain(d, R, steps), lambda m: m, "cpu"))


def end_of_chain(d: int, replicas: int, steps: int) -> torch.Tensor:
    """Return the overlaps after some steps, shape (replicas,)."""
    starts, rates = (torch.full((replicas,), value, dtype=torch.float64) for value in (START, RATE / d))
    rule, dims = square_rule(LINK, rates), torch.full((replicas,), d)
    return overlap_paths(LINK, rule, starts, dims, [steps], generator_for(0, "chain", d))[0]


def chance_of_the_chain(d: int, sizes: Sizes) -> Run:
    """Return the drawing of its three random numbers a step, in a block: a floor."""
    draws, half = generator_for(0, "floor"), torch.full((1024, sizes.replicas), (d - 2) / 2, dtype=torch.float64)

    def drawn() -> torch.Tensor:
        for _ in range(2):
            torch.randn(half.shape, generator=draws, dtype=torch.float64)
        return torch._standard_gamma(half, generator=draws)

    return per(half.numel(), timed(drawn, lambda found: found[0], "cpu"))


def simulated(d: int, sizes: Sizes, steps: int, device: str) -> torch.Tensor:
    """Return the weights of our simulation after some steps, shape (replicas, d)."""
    start, rates = started((sizes.replicas, d), device), torch.full((sizes.replicas,), RATE / d, device=device)
    paths = online_sgd(LINK, square_pull(LINK), start, torch.eye(d, device=device)[0], rates, stream(0, device))
    return next(islice(paths, steps, None))


def inputs(sizes: Sizes, d: int, steps: int, device: str, number: int = 0) -> Iterator[torch.Tensor]:
    """Yield the inputs of all replicas at each step; those of number 0 are what our simulation draws."""
    draws = stream(number, device)
    return (torch.randn(sizes.replicas, d, generator=draws, device=device) for _ in range(steps))


def stream(number: int, device: str) -> torch.Generator:
    """Return a generator on a device."""
    return torch.Generator(device).manual_seed(number)


def started(shape: tuple[int, ...], device: str) -> torch.Tensor:
    """Return weights of norm one at the overlap of the start, float32."""
    weights = torch.zeros(shape, device=device)
    weights[..., 0], weights[..., 1] = START, (1 - START**2) ** 0.5
    return weights


def torch_walks(d: int, sizes: Sizes, device: str) -> dict[str, Walk | str]:
    """Return by name what a reader would write in torch, or why it is missing."""
    return {
        LOOP: by_autograd(loss_of_one, d),
        COMPILED: compiled(loss_of_one, d, (d,), sizes.backend, device),
        TOGETHER: by_autograd(loss_of_many, d),
        COMPILED_TOGETHER: compiled(loss_of_many, d, (sizes.replicas, d), sizes.backend, device),
    }


def walked(name: str, walk: Walk | str, d: int, sizes: Sizes, device: str) -> Run | str:
    """Return a run of a peer that draws its own inputs; the reason why it is missing stays as it is."""
    if isinstance(walk, str):
        return walk
    shape = (d,) if name in ALONE else (sizes.replicas, d)
    steps, start = sizes.loop if name in ALONE else sizes.together, started(shape, device)
    draws = stream(1, device)

    def work() -> torch.Tensor:
        return walk(start, (torch.randn(shape, generator=draws, device=device) for _ in range(steps)))

    return per(steps * start.numel() // d, timed(work, first_column, device))


def gaps_in_paths(walks: dict[str, Walk | str], d: int, sizes: Sizes, device: str) -> dict[str, float]:
    """Return how far each peer is from our simulation on the same inputs; of one neuron for the first replicas."""
    given = list(inputs(sizes, d, sizes.compared, device))
    ours, gaps = first_column(simulated(d, sizes, sizes.compared, device)).double(), {}
    for name, walk in walks.items():
        if not isinstance(walk, str):
            rows = range(3) if name in ALONE else [slice(None)]
            for row in rows:
                start = started(given[0][row].shape, device)
                found = first_column(walk(start, (X[row] for X in given))).double()
                gaps[name] = max(gaps.get(name, 0.0), relative_gap(found, ours[row]))
    return gaps


def gaps_in_law(walks: dict[str, Walk | str], d: int, sizes: Sizes, device: str) -> dict[str, float]:
    """Return for each peer the statistic of a two-sample test against the chain, over its critical value."""
    ours, gaps = end_of_chain(d, sizes.law, sizes.compared).numpy(), {}
    for name, walk in walks.items():
        if not isinstance(walk, str):
            rows = range(sizes.replicas) if name in ALONE else [slice(None)]
            found = []
            for number in range(-(-sizes.sample // sizes.replicas)):
                given = list(inputs(sizes, d, sizes.compared, device, number))
                for row in rows:
                    end = walk(started(given[0][row].shape, device), (X[row] for X in given))
                    found.append(first_column(end).reshape(-1).cpu())
            sample = torch.cat(found).numpy()
            critical = CRITICAL * (1 / len(ours) + 1 / len(sample)) ** 0.5
            gaps[name] = float(ks_2samp(sample, ours).statistic) / critical
    return gaps


def loss_of_one(w: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return (h_2(<w, x>) - h_2(x_1))^2 / 2, the loss of one neuron on one sample; the hidden axis is the first."""
    return ((x @ w).square() - x[0].square()).square() / 4


def loss_of_many(W: torch.Tensor, X: torch.Tensor) -> torch.Tensor:
    """Return the sum of the losses of neurons, one a row, on a sample each."""
    return ((W * X).sum(1).square() - X[:, 0].square()).square().sum() / 4


def by_autograd(loss: Loss, d: int) -> Walk:
    """Return the loop that one writes first: backward, gradient along the sphere, the optimiser's step, norm one."""

    def walk(start: torch.Tensor, inputs: Iterable[torch.Tensor]) -> torch.Tensor:
        weights = torch.nn.Parameter(start.clone())
        optimiser = torch.optim.SGD([weights], lr=RATE / d)
        for x in inputs:
            optimiser.zero_grad()
            loss(weights, x).backward()
            with torch.no_grad():
                weights.grad -= (weights.grad * weights).sum(-1, keepdim=True) * weights
            optimiser.step()
            with torch.no_grad():
                weights /= weights.norm(dim=-1, keepdim=True)
        return weights.detach()

    return walk


def compiled(loss: Loss, d: int, shape: tuple[int, ...], backend: str, device: str) -> Walk | str:
    """Return the same loop of one compiled function a step, or why there is none."""

    def step(weights: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        gradient = torch.func.grad(loss)(weights, x)
        moved = weights - RATE / d * (gradient - (gradient * weights).sum(-1, keepdim=True) * weights)
        return moved / moved.norm(dim=-1, keepdim=True)

    compiled_step = torch.compile(step, backend=backend)

    def walk(start: torch.Tensor, inputs: Iterable[torch.Tensor]) -> torch.Tensor:
        for x in inputs:
            start = compiled_step(start, x)
        return start

    try:
        walk(started(shape, device), [torch.ones(shape, device=device)])
    except RuntimeError as error:  # among others, there is no compiler
        return f"does not compile here: {type(error).__name__}"
    return walk
