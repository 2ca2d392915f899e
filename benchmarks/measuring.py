"""Times of several implementations of one workload: interleaved rounds, medians, seconds of one thread."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

Run = Callable[[], tuple[float, torch.Tensor]]
"""Does the work once; returns seconds and a few numbers of the answer, to be compared with those of the others."""


@dataclass(frozen=True)
class Workload:
    """One piece of work and all that do it.

    Attributes:
        name: what is done.
        size: the sizes, in words.
        ours: the package.
        peers: by name, what a reader would use instead; a string says why a peer is missing.
        floor: what cannot be spared: a matrix product with as many floating-point operations as ours has in products,
            into a kept buffer, or the drawing of the random numbers.
        reach: by name of the peer, the ratio to reach.
        rounds: how often everything is run.
        n: the size that growth is told in.
        tolerance: largest gap between the answers of a peer and ours.
        compare: returns the gaps by name of the peer, where one run of each does not decide; None for relative gaps
            between the answers of a run.
    """

    name: str
    size: str
    ours: Run
    floor: Run
    n: int
    rounds: int
    peers: dict[str, Run | str] = field(default_factory=dict)
    reach: dict[str, float] = field(default_factory=dict)
    tolerance: float = 1e-6
    compare: Callable[[], dict[str, float]] | None = None


def timed(work: Callable[[], torch.Tensor], probe: Callable[[torch.Tensor], torch.Tensor], device: str) -> Run:
    """Return a run of ``work``: CPU seconds on the CPU, on another device wall seconds up to its synchronisation.

    Args:
        work: what is timed.
        probe: takes the numbers to compare from its result; not timed.
        device: a torch device.
    """

    def run() -> tuple[float, torch.Tensor]:
        start = _now(device)
        result = work()
        return _now(device) - start, probe(result).double().cpu()

    return run


def _now(device: str) -> float:
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def measure(workload: Workload) -> dict:
    """Return the medians of one workload, after one round that counts for nothing, as plain values.

    Raises:
        AssertionError: if the answer of a peer is not ours: a time without the same answer means nothing.
    """
    present = {name: run for name, run in workload.peers.items() if callable(run)}
    runs = {"ours": workload.ours, "floor": workload.floor, **present}
    answers = {name: run()[1] for name, run in runs.items()}
    compare = workload.compare or (lambda: {name: relative_gap(answers[name], answers["ours"]) for name in present})
    gaps = {name: gap for name, gap in compare().items() if name in present}
    assert set(gaps) == set(present), f"{workload.name}: not compared: {set(present) - set(gaps)}"
    wrong = {name: gap for name, gap in gaps.items() if not gap <= workload.tolerance}
    assert not wrong, f"{workload.name}: other answers than ours, by {wrong}"
    seconds = {name: [] for name in runs}
    for _ in range(workload.rounds):
        for name, run in runs.items():
            seconds[name].append(run()[0])
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    peers = [_beside(name, workload, medians, gaps) for name in workload.peers]
    return {
        "workload": workload.name, "size": workload.size, "n": workload.n, "rounds": workload.rounds,
        "ours": medians["ours"], "floor": medians["floor"], "share": medians["floor"] / medians["ours"],
        "peers": peers, "all_seconds": seconds,
    }  # fmt: skip


def relative_gap(answer: torch.Tensor, ours: torch.Tensor) -> float:
    """Return the largest difference over the largest entry of ours."""
    return float((answer - ours).abs().max() / ours.abs().max())


def _beside(name: str, workload: Workload, medians: dict[str, float], gaps: dict[str, float]) -> dict:
    row = {"peer": name, "reach": workload.reach.get(name)}
    if name not in gaps:
        return row | {"missing": workload.peers[name]}
    return row | {"seconds": medians[name], "ratio": medians[name] / medians["ours"], "gap": gaps[name]}


def growth(sizes: list[int], seconds: list[float]) -> float:
    """Return the slope of log seconds over log n by least squares.

    Args:
        sizes: the n.
        seconds: one time for each.
    """
    x = torch.tensor(sizes, dtype=torch.float64).log()
    y = torch.tensor(seconds, dtype=torch.float64).log()
    return float((x - x.mean()) @ (y - y.mean()) / (x - x.mean()).square().sum())
