"""Measure the stored sweep: python -m beyond_kernel.which_method_wins.measure_needs FOLDER."""

import argparse
import csv
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from platform import python_version
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from beyond_kernel.checks import one_of
from beyond_kernel.escaping_the_kernel.recursive_features import fit_recursive_features
from beyond_kernel.feature_learning.metric_kernel import fit_metric_kernel, fit_two_moments
from beyond_kernel.feature_learning.one_step import fit_one_step
from beyond_kernel.feature_learning.trained_network import fit_trained_network
from beyond_kernel.foundations.learning.learners import Learner, label_of
from beyond_kernel.foundations.learning.learning_cells import learner_risk_cell
from beyond_kernel.kernel_regime.kernel_learners import fit_gaussian_kernel
from beyond_kernel.which_method_wins.measure_searches import search_rows
from beyond_kernel.which_method_wins.stored_needs import DATA, NOISE, PROVENANCE, TARGETS

WIDTH = 1000
"""Neurons of one step."""
SIZES = tuple(round(1000 * 2 ** (-k / 2)) for k in range(10, -1, -1))
"""Sample sizes, up to which the penalty of every kernel is chosen by exact leave-one-out."""
DIMS = (8, 12, 16, 24, 32)
SEEDS = (100, 101, 102)
"""Seeds of the sweep; chapters start at seed 0."""
TEST_POINTS = 4000
LOW = 0.2
"""Risk below which all seeds must be at two sizes running before a row is ended."""
FIELDS = ("kind", "target", "learner", "d", "n", "values", "seconds")


@dataclass(frozen=True)
class Plan:
    """On which targets, in which dimensions and at which sizes a method is run.

    Attributes:
        learner: the method, options set.
        targets: names of the targets.
        dims: dimensions.
        sizes: numbers of samples.
    """

    learner: Learner
    targets: tuple[str, ...] = tuple(TARGETS)
    dims: tuple[int, ...] = DIMS
    sizes: tuple[int, ...] = SIZES


PLANS = (
    Plan(partial(fit_metric_kernel, width=WIDTH)),
    Plan(fit_recursive_features),
    Plan(fit_gaussian_kernel),
    Plan(fit_two_moments, dims=DIMS[:-1], sizes=SIZES[:-1]),
    Plan(partial(fit_one_step, width=WIDTH), targets=("the book's", "degree two", "exponent 2")),
    Plan(fit_trained_network, targets=("the book's",), dims=DIMS[::2], sizes=SIZES[6::2]),
)
"""What the sweep holds, the rivals of the phase diagram on all targets, the others on fewer, to keep it small."""


class Row(NamedTuple):
    """The sizes of one method on one target in one dimension."""

    plan: Plan
    target: str
    d: int


def planned_rows() -> list[Row]:
    """Return what the sweep measures, in its order: methods side by side, so that all meet the same load of a machine.

    Chapter: which_method_wins.
    """
    cells = [(name, d) for name in TARGETS for d in DIMS]
    return [
        Row(plan, TARGETS[name], d) for name, d in cells for plan in PLANS if name in plan.targets and d in plan.dims
    ]


def risk_again(target: str, learner: str, d: int, n: int, seed: int) -> float:
    """Run one entry of the sweep and return its risk.

    Args:
        target: text of the target.
        learner: label of a method of ``PLANS``.
        d: input dimension.
        n: training samples.
        seed: of the problem and of what the method draws.

    Raises:
        BadParameter: if the label is not one of the sweep; as ``learner_risk_cell``.

    Chapter: which_method_wins.
    """
    known = {label_of(plan.learner): plan.learner for plan in PLANS}
    fit = known[one_of("learner", learner, list(known))]
    return learner_risk_cell(fit, target, d, n, NOISE, n_test=TEST_POINTS, seed=seed)["risk"]


def measure(row: Row) -> Iterator[dict[str, Any]]:
    """Yield the lines of one row, size after size, until all seeds have been low enough at two sizes running.

    Args:
        row: one of ``planned_rows``.

    Chapter: which_method_wins.
    """
    low, learner = 0, label_of(row.plan.learner)
    for n in row.plan.sizes:
        risks, times = [], []
        for seed in SEEDS:
            began = time.process_time()
            risks.append(risk_again(row.target, learner, row.d, n, seed))
            times.append(time.process_time() - began)
        values = " ".join(f"{risk:.6g}" for risk in risks)
        about = {"kind": "risk", "target": row.target, "learner": learner, "d": row.d, "n": n}
        yield about | {"values": values, "seconds": f"{median(times):.3f}"}
        low = low + 1 if max(risks) <= LOW else 0
        if low == 2:
            return


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the whole sweep on one core and write its two files into a folder.

    Args:
        arguments: of the command line.
    """
    parser = argparse.ArgumentParser(
        prog="python -m beyond_kernel.which_method_wins.measure_needs", description=__doc__
    )
    parser.add_argument("folder", type=Path, help=f"where {DATA.name} and {PROVENANCE.name} are written")
    folder = parser.parse_args(arguments).folder
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    began = time.process_time()
    with (folder / DATA.name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        for row in tqdm(planned_rows(), file=sys.stderr):
            writer.writerows(measure(row))
            file.flush()
        writer.writerows(search_rows())
    text = json.dumps(_provenance(time.process_time() - began), indent=1)
    (folder / PROVENANCE.name).write_text(text + "\n", encoding="utf-8")
    return 0


def _provenance(seconds: float) -> dict[str, Any]:
    return {
        "command": "python -m beyond_kernel.which_method_wins.measure_needs FOLDER",
        "function": "beyond_kernel.foundations.learning.learning_cells.learner_risk_cell",
        "parameters": {"noise": NOISE, "n_test": TEST_POINTS, "precision": "float64", "width of one step": WIDTH},
        "seeds": list(SEEDS),
        "ended": f"a row ends after two sizes running at which every seed has a risk of at most {LOW}",
        "versions": {"python": python_version(), "torch": torch.__version__, "numpy": np.__version__},
        "date": datetime.now(UTC).date().isoformat(),
        "seconds of CPU": round(seconds),
    }


if __name__ == "__main__":
    sys.exit(main())
